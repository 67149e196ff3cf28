"""Free ports on loopback, the same ones as last time where they are still free."""

from __future__ import annotations

import socket


def free_port(wanted: int = 0, host: str = "127.0.0.1") -> int:
    """``wanted`` when nobody listens there, else a port the system calls free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")
