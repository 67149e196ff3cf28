"""Reads the SQLSTATE of a refused login from a server with messages in another language.

The driver hides that code. This sends the first packet of a login and reads the server's answer; it
never sends a password. Format: PostgreSQL manual, "Message Formats".
"""

from __future__ import annotations

import socket
import struct

from probes.model import Address
from probes.wire import deadline

_PROTOCOL_3 = 196608
_LARGEST_ANSWER_BYTES = 65536
SOME_AUTHENTICATION = "28000"
"""Returned when the server asked for authentication, so that the password must have been rejected.
"""


def sqlstate(address: Address, ip: str) -> str | None:
    """The SQLSTATE that the server answers a login with; None if it gives none.

    Ends by the deadline in force, which it may raise as ``ProbeError(TIMEOUT)``.
    """
    try:
        with _connected(address, ip) as sock:
            sock.sendall(_startup(address))
            return _answer(sock)
    except OSError:
        return None


def _connected(address: Address, ip: str) -> socket.socket:
    if address.host.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(deadline.remaining())
        sock.connect(f"{address.host}/.s.PGSQL.{address.port}")
        return sock
    return socket.create_connection((ip, address.port), timeout=deadline.remaining())


def _startup(address: Address) -> bytes:
    words = ("user", address.user, "database", address.database or address.user)
    body = struct.pack("!I", _PROTOCOL_3) + b"".join(w.encode() + b"\0" for w in words) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def _answer(sock: socket.socket) -> str | None:
    while True:
        kind, body = _message(sock)
        if kind == b"E":
            fields = {field[:1]: field[1:] for field in body.split(b"\0") if field}
            return fields.get(b"C", b"").decode("ascii", "replace") or None
        if kind == b"R" and struct.unpack("!I", body[:4])[0] != 0:
            return SOME_AUTHENTICATION
        if kind == b"Z":  # ready: this login works
            return None


def _message(sock: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(sock, 1)
    (length,) = struct.unpack("!I", _exactly(sock, 4))
    if not 4 <= length <= _LARGEST_ANSWER_BYTES:
        raise OSError("not a PostgreSQL server")
    return kind, _exactly(sock, length - 4)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        sock.settimeout(deadline.remaining())
        part = sock.recv(count - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data
