"""Seconds since the host started, sleep included, by a clock that is never set."""

from __future__ import annotations

import time


def uptime_seconds() -> float:
    """Seconds since the host started (CLOCK_BOOTTIME); not affected by setting the wall clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
