"""A proxy between a client and a real server that can slow down to single bytes, or stop.

Timeouts per socket call work with a server that sends nothing and fail with one that sends a byte
now and then. While ``pace_seconds`` is None bytes pass unchanged; otherwise the server's answers
come one byte at a time at that pace. Inside ``swallowing`` no connection is made, as where a
firewall drops the packets. Everything ends with ``close``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

CHUNK = 65536


class DrippingProxy:
    """Listens on loopback; hands each connection on to ``port``."""

    def __init__(self, port: int) -> None:
        self.pace_seconds: float | None = None
        self._server_port = port
        self._ended = threading.Event()
        self._turn = threading.Condition()
        self._takes = True
        self._holds = False  # the thread has taken a connection and leaves it at that
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="dripping", daemon=True).start()

    @contextmanager
    def swallowing(self) -> Iterator[None]:
        """Nothing comes back: open connections fall silent, packets of new ones are dropped.

        The kernel does that where the queue of a listener is full.
        """
        self.pace_seconds = 60.0
        with self._turn:
            self._takes = False
        with ExitStack() as taken:
            self._listener.listen(0)
            taken.enter_context(self._filler())
            with self._turn:
                assert self._turn.wait_for(lambda: self._holds, 10), "nothing was taken"
            # Nobody takes any more: one waits in the queue, and beyond it packets are dropped.
            for _ in range(2):
                taken.enter_context(self._filler())
            try:
                yield
            finally:
                self.pace_seconds = None
        self._listener.listen()
        with self._turn:
            self._takes = True
            self._turn.notify_all()

    def _filler(self) -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", self.port))
        return client

    def close(self) -> None:
        self._ended.set()
        with self._turn:
            self._takes = True
            self._turn.notify_all()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._turn:
                if not self._takes:
                    self._holds = True
                    self._turn.notify_all()
                    self._turn.wait_for(lambda: self._takes)
                    self._holds = False
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._open += [client, server]
            for work in ((self._pass, client, server), (self._drip, server, client)):
                threading.Thread(target=work[0], args=work[1:], daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _drip(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self.pace_seconds is None:
                    sink.sendall(data)
                    continue
                for byte in data:
                    sink.sendall(bytes([byte]))
                    if self._ended.wait(self.pace_seconds):
                        return
