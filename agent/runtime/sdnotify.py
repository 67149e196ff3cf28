"""Notifications to systemd: ready, watchdog, stopping.

Without ``$NOTIFY_SOCKET`` nothing happens. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send one state, e.g. ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``; failures are ignored."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            return  # systemd is gone or busy; the next notification shows


def watchdog_seconds() -> float | None:
    """How often to notify systemd: half its limit; None when its watchdog is off."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not microseconds.isdecimal() or not watched:
        return None
    return int(microseconds) / 2_000_000
