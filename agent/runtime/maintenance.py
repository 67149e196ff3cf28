"""Why: work that was announced must not open incidents, and what it broke must not be forgotten.

A window holds incidents back, never the watching: values, findings and evidence go on. Promise:
what still fails when the window ends opens then, for the judge states it at every reading.
Recurring windows begin at a wall-clock time of their zone; their length is real time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from probes import Target

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Window:
    """Announced work: once (``start``, ``end``) or on weekdays (``days``, ``at``, ``lasts``)."""

    name: str
    targets: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()
    start: datetime | None = None  # aware
    end: datetime | None = None
    days: frozenset[int] = frozenset()  # 0 is Monday
    at: time = time()
    lasts: timedelta = timedelta()
    zone: str = "UTC"

    def covers(self, target: str, cluster: str) -> bool:
        """Whether it is about this target; one that names nobody is about everybody."""
        if not self.targets and not self.clusters:
            return True
        return target in self.targets or (bool(cluster) and cluster in self.clusters)

    def until(self, now: datetime) -> datetime | None:
        """The end of the run that is on at ``now``; None when none is."""
        if self.start is not None and self.end is not None:
            return self.end if self.start <= now < self.end else None
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        ends = []
        for back in range((self.lasts.days or 0) + 2):
            day = today - timedelta(days=back)
            if day.weekday() not in self.days:
                continue
            begins = datetime.combine(day, self.at, zone).timestamp()
            if begins <= now.timestamp() < begins + self.lasts.total_seconds():
                ends.append(datetime.fromtimestamp(begins + self.lasts.total_seconds(), now.tzinfo))
        return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class On:
    """A window that is on for a target."""

    name: str
    until: datetime


class Maintenance:
    """Every announced window. A value: a reload makes another."""

    def __init__(self, windows: Iterable[Window] = ()) -> None:
        self._windows = tuple(windows)

    def on(self, target: Target, now: datetime) -> On | None:
        """The window that holds this target's incidents back now: the one that ends last."""
        return self.of(target.name, target.cluster, now)

    def of(self, target: str, cluster: str, now: datetime) -> On | None:
        """The same by name; a cluster's own findings are asked for as (cluster, cluster)."""
        found = [
            On(window.name, end)
            for window in self._windows
            if window.covers(target, cluster) and (end := window.until(now)) is not None
        ]
        return max(found, key=lambda each: each.until, default=None)
