"""Bounded history of a volume's used space: minutes for the last hour, hours for two weeks.

Plain lists and numbers, so that it can be stored as JSON; never more than a few hundred numbers per
volume, whatever the interval. No I/O: the caller passes the time in seconds since the epoch, so
that a history remains valid after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOUR = 3600.0
DAY = 24 * HOUR
FINE_EVERY_SECONDS = 20.0
FINE_FOR_SECONDS = 3600.0
HOURS_FOR_SECONDS = 15 * DAY


@dataclass(frozen=True, slots=True)
class Hour:
    """The minimum and the maximum used within one hour.

    Both are kept: the minimum is what remains after a night job has cleaned up, the maximum is what
    the job needed.
    """

    at: float  # its beginning
    low: float  # bytes
    high: float


@dataclass(frozen=True, slots=True)
class History:
    """Used bytes of one volume over time, oldest first."""

    fine: tuple[tuple[float, float], ...] = ()  # (seconds since the epoch, used bytes)
    hours: tuple[Hour, ...] = ()

    def add(self, at: float, used: float) -> History:
        """The history with one more sample.

        A sample within 20 s of the last one counts only for its hour. Samples in the future (the
        clock was set back) are dropped, because they can no longer be placed.
        """
        fine = tuple(each for each in self.fine if at - FINE_FOR_SECONDS <= each[0] <= at)
        if not fine or at - fine[-1][0] >= FINE_EVERY_SECONDS:
            fine = (*fine, (at, used))
        start = at - at % HOUR
        hours = tuple(each for each in self.hours if at - HOURS_FOR_SECONDS <= each.at <= start)
        if hours and hours[-1].at == start:
            last = hours[-1]
            hours = (*hours[:-1], Hour(start, min(last.low, used), max(last.high, used)))
        else:
            hours = (*hours, Hour(start, used, used))
        return History(fine, hours)

    def as_plain(self) -> dict[str, Any]:
        """The history as JSON-compatible values."""
        return {
            "fine": [[at, used] for at, used in self.fine],
            "hours": [[each.at, each.low, each.high] for each in self.hours],
        }


def from_plain(kept: object) -> History:
    """The history written by ``as_plain``; an empty one for anything else.

    Data that cannot be read is dropped instead of failing the probe.
    """
    if not isinstance(kept, Mapping):
        return History()
    try:
        return History(
            tuple((float(at), float(used)) for at, used in kept["fine"]),
            tuple(Hour(float(at), float(low), float(high)) for at, low, high in kept["hours"]),
        )
    except (KeyError, TypeError, ValueError):
        return History()
