"""Free ports on loopback, the same ones as last time if they are still free.

Ports are below the kernel's own range (ip(7), ip_local_port_range), from which it takes the ports
of outgoing connections; one of those could use the port before the server does.
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

_KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_BELOW_THE_USUAL = 32768
_CHOICE = 12000  # so many ports below the kernel's
_TRIES = 200


def free_port(wanted: int = 0, host: str = "127.0.0.1") -> int:
    """``wanted`` if it is free, else another free port. Raises ``OSError``."""
    if wanted and _is_free(host, wanted, again=True):
        return wanted
    first = max(1024 + _CHOICE, _first_of_the_kernel())
    for _ in range(_TRIES):
        port = first - 1 - secrets.randbelow(_CHOICE)
        if _is_free(host, port, again=False):
            return port
    raise OSError("no free port on loopback")


def _is_free(host: str, port: int, *, again: bool) -> bool:
    """``again``: connections of an earlier server on this port may still be closing."""
    with socket.socket() as probe:
        if again:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _first_of_the_kernel() -> int:
    try:
        return int(_KERNELS.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _BELOW_THE_USUAL
