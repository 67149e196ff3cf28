"""A program that listens on a server's port and speaks another protocol."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

NO_SERVICE = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

Manner = Callable[[socket.socket], object]


def answers_http(client: socket.socket) -> None:
    """Like a balancer without a server behind it, also to clients that send nothing."""
    client.sendall(NO_SERVICE)
    client.shutdown(socket.SHUT_WR)
    while client.recv(4096):
        pass


def hangs_up(client: socket.socket) -> None:
    """Takes the connection and closes it."""


def resets(client: socket.socket) -> None:
    """The same with a reset: lingering for no second."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def listening(manner: Manner, port: int = 0) -> Iterator[int]:
    """Clients of this loopback port are answered in this way."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, manner), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _serve(listener: socket.socket, manner: Manner) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client, suppress(OSError):
            client.settimeout(5)
            manner(client)
