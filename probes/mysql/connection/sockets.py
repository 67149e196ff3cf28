"""Sockets for PyMySQL that obey the deadline in force at every read and write.

PyMySQL's three timeouts count per socket call, so a server that sends one byte at a time can hold a
login or an answer for ever, and the TLS handshake uses yet another timeout. Every call ends at the
thread's deadline and raises ``ProbeError(TIMEOUT)``, in clear text and under TLS.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from typing import Any

from probes.model import Address, FailureKind, ProbeError, Text
from probes.mysql.connection import errors
from probes.wire import deadline

SOCKET_NAMES = ("mysqld.sock", "mysql.sock", "mariadb.sock")
"""Names that packages give the socket file; tried in this order inside a directory."""


class DeadlineSocket(socket.socket):
    """A TCP or Unix socket that never waits beyond the deadline."""

    def connect(self, address: Any) -> None:
        self.settimeout(deadline.remaining())
        try:
            super().connect(address)
        except TimeoutError:
            raise _swallowed() from None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(deadline.remaining())
        try:
            return super().recv_into(buffer, nbytes, flags)
        except TimeoutError:
            raise deadline.timed_out() from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(deadline.remaining())
        try:
            super().sendall(data, flags)
        except TimeoutError:
            raise deadline.timed_out("the question was not taken") from None


class DeadlineTLSSocket(ssl.SSLSocket):
    """The same under TLS; created by an ``SSLContext`` that is configured to (``tls.py``)."""

    handshake_seconds = 0.0

    def do_handshake(self, block: bool = False) -> None:
        started = time.perf_counter()
        try:
            self.settimeout(deadline.remaining())
            super().do_handshake(block)
        except TimeoutError:
            self.close()  # nobody else holds it yet
            raise deadline.timed_out("no TLS handshake") from None
        except ProbeError:
            self.close()
            raise
        self.handshake_seconds = time.perf_counter() - started

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(deadline.remaining())
        try:
            return super().recv_into(buffer, nbytes, flags)
        except TimeoutError:
            raise deadline.timed_out() from None

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(deadline.remaining())
        try:
            return super().send(data, flags)
        except TimeoutError:
            raise deadline.timed_out("the question was not taken") from None


def _swallowed() -> ProbeError:
    """Not even the peer's kernel answered: the network is at fault, not the database."""
    return ProbeError(
        FailureKind.TIMEOUT,
        "no TCP connection within the deadline: the packets are swallowed",
        Text(
            "It is not the database that is silent but the network or the machine: a firewall "
            "that drops, a lost route, or a dead host. Try ping and telnet."
        ),
    )


def is_local(address: Address) -> bool:
    """Whether the address is a Unix socket or this machine's loopback."""
    host = address.host
    return host.startswith(("/", "127.")) or host in {"localhost", "::1"}


def dial(address: Address, addresses: list[str]) -> socket.socket:
    """A connected socket to the first of ``addresses`` that answers, or to the Unix socket.

    Raises ``ProbeError``: REFUSED (no listener), UNREACHABLE, TIMEOUT.
    """
    if address.host.startswith("/"):
        return _dial(socket.AF_UNIX, socket_file(address.host), address)
    last: ProbeError | None = None
    for position, ip in enumerate(addresses):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        share = deadline.remaining() / (len(addresses) - position)
        try:
            with deadline.within(share):
                return _dial(family, (ip, address.port), address)
        except ProbeError as error:
            last = error
    raise last or ProbeError(FailureKind.UNREACHABLE, f"{address.host} has no address")


def socket_file(path: str) -> str:
    """The socket file itself, if the configuration names only its directory."""
    if not os.path.isdir(path):
        return path
    named = (os.path.join(path, name) for name in SOCKET_NAMES)
    return next((each for each in named if os.path.exists(each)), f"{path}/{SOCKET_NAMES[0]}")


def _dial(family: socket.AddressFamily, where: Any, address: Address) -> socket.socket:
    made = DeadlineSocket(family, socket.SOCK_STREAM)
    try:
        made.connect(where)
        if family != socket.AF_UNIX:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except ProbeError:
        made.close()
        raise
    except OSError as error:
        made.close()
        raise _unconnected(error, where, address) from error
    return made


def _unconnected(error: OSError, where: Any, address: Address) -> ProbeError:
    shown = where if isinstance(where, str) else f"{address.host}:{address.port}"
    said = error.strerror or str(error)
    if isinstance(error, BlockingIOError):  # a Unix socket whose listen queue is full
        return deadline.timed_out(f"{shown} takes no more connections; no answer")
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        return ProbeError(
            FailureKind.REFUSED,
            f"nobody listens on {shown}: {said}",
            Text(
                "The database service is not running or does not listen on {shown}: "
                "check its state (systemctl status mariadb / mysql) and its error log.",
                shown=shown,
            ),
        )
    if isinstance(error, ConnectionResetError):
        return errors.hung_up(address)
    if error.errno in {errno.EACCES, errno.EPERM}:
        hint = Text(
            "The agent's operating-system account may not open {shown}: allow it on that folder.",
            shown=shown,
        )
    else:
        hint = Text("Check the network, the route and the firewall towards {shown}.", shown=shown)
    return ProbeError(FailureKind.UNREACHABLE, f"{shown} cannot be reached: {said}", hint)
