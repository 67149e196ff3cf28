"""A bounded memory of how full a volume was: minutes for the last hour, hours for two weeks.

Why: a forecast needs the shape of days, and a reading only knows now. Promise: plain lists and
numbers, so that whoever keeps the probe's memory may write it down as JSON; never more than a few
hundred numbers for a volume, whatever the interval. Pure: the caller says what time it is, in
seconds since the epoch, so that a history outlives a restart.
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
    """The least and the most that was used within one hour.

    Both are kept: the low of an hour is what stays when a night job has tidied up, the high is
    what the job needed.
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

        A sample sooner than 20 s after the last counts only for its hour. What lies in the
        future (the clock was put back) is dropped: it can no longer be placed.
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
        """The history as JSON can hold it."""
        return {
            "fine": [[at, used] for at, used in self.fine],
            "hours": [[each.at, each.low, each.high] for each in self.hours],
        }


def from_plain(kept: object) -> History:
    """The history written by ``as_plain``; an empty one for anything else.

    What cannot be read is forgotten rather than failing a probe: it is only a memory.
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
