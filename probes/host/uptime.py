"""The host's own clock that never jumps: seconds since it started, sleep included."""

from __future__ import annotations

import time


def uptime_seconds() -> float:
    """Seconds since the host started (CLOCK_BOOTTIME); no change of the wall clock moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
