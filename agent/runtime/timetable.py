"""When each probe of a target is due: arithmetic on the monotonic clock, without threads.

Rounds are at ``first + shift + n * period``. A late round skips the times it missed and counts
them, so there is never a backlog.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Mapping

NAMES_TO_A_SECOND = 66
"""First rounds are spread so that no more targets than these begin within one second."""


def phase(name: str, interval_seconds: float, targets: int) -> float:
    """Seconds until a target's first round: a share of the interval fixed by a hash of its name.

    A few targets begin almost at once; a thousand are spread over the whole interval, because
    rounds that start together cost ten times the CPU and distort the latency they measure.
    """
    spread = min(interval_seconds, targets / NAMES_TO_A_SECOND)
    return (zlib.crc32(name.encode()) / 2**32) * spread


class Timetable:
    """When each probe of one target is due. Used by one thread."""

    def __init__(
        self,
        periods: Mapping[str, float],
        first: float,
        in_doubt: Mapping[str, float] | None = None,
        shifts: Mapping[str, float] | None = None,
    ) -> None:
        """``periods``: seconds by probe name; ``first``: monotonic instant of the first round, in
        which every probe runs; ``in_doubt``: the shorter periods of the probes that run sooner
        while in doubt; ``shifts``: seconds by which a probe's schedule is offset from ``first``.
        """
        self._periods = dict(periods)
        self._usual = dict(periods)
        self._in_doubt = dict(in_doubt or {})
        self._origins = {name: first + (shifts or {}).get(name, 0.0) for name in self._periods}
        self._due = dict.fromkeys(self._periods, first)
        self.skipped = 0

    @property
    def next(self) -> float:
        """The monotonic instant of the next round; infinite when nothing is to be asked."""
        return min(self._due.values(), default=math.inf)

    def take(self, at: float) -> tuple[str, ...]:
        """The probes due at ``at``, in declared order; each moves to its next time."""
        due = tuple(name for name, when in self._due.items() if when <= at)
        for name in due:
            self._due[name] = self._after(name, at)
        return due

    def catch_up(self, at: float) -> None:
        """After a round: skip and count every time that passed while it ran."""
        for name, when in self._due.items():
            if when < at:
                following = self._after(name, at)
                self.skipped += round((following - when) / self._periods[name])
                self._due[name] = following

    def hold(self, until: float, but: Collection[str] = ()) -> None:
        """Back off: nothing is due before ``until`` except the probes named in ``but``; skipped
        times are not counted.
        """
        for name, when in self._due.items():
            if when < until and name not in but:
                self._due[name] = self._after(name, until - 1e-9)

    def doubt(self, name: str, doubtful: bool, at: float) -> None:
        """From ``at`` on a probe uses its period for doubt, or its usual one again."""
        period = self._in_doubt.get(name, self._usual[name]) if doubtful else self._usual[name]
        if period != self._periods[name]:
            self._periods[name] = period
            self._due[name] = self._after(name, at)

    def _after(self, name: str, at: float) -> float:
        """The first grid point of this probe later than ``at``."""
        period, origin = self._periods[name], self._origins[name]
        passed = math.floor((at - origin) / period)
        while origin + passed * period <= at:  # rounding may land on ``at`` itself
            passed += 1
        return origin + passed * period
