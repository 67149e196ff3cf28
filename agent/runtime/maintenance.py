"""Maintenance windows: planned work opens no incidents.

Only incidents are suppressed; values, findings and evidence continue. What still fails when a
window ends opens then, because findings are stated at every reading. Recurring windows begin at a
wall-clock time of their zone; their length is elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from probes import Finding, Fingerprint, Severity, Target, Text

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
        """Whether it applies to this target; one without targets and clusters applies to all."""
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

    def over(self, targets: Iterable[Target], now: datetime) -> On | None:
        """The window that is on for any of these targets: the one that ends last."""
        found = [
            On(window.name, end)
            for window in self._windows
            for target in targets
            if window.covers(target.name, target.cluster) and (end := window.until(now)) is not None
        ]
        return max(found, key=lambda each: each.until, default=None)


_STANDS_SINCE = Text("It has stood since the maintenance window {window}.")


@dataclass(slots=True)
class Suppression:
    """Findings that a window keeps from opening incidents; afterwards they say so."""

    _windows: dict[Fingerprint, str] = field(default_factory=dict)  # that suppressed a finding

    def apply(self, findings: Iterable[Finding], window: On | None) -> list[Finding]:
        """The findings as they go to the desk while this window is on, or none is."""
        if window is None and not self._windows:  # almost always
            return list(findings)
        return [self._applied(finding, window) for finding in findings]

    def _applied(self, finding: Finding, window: On | None) -> Finding:
        name = finding.fingerprint
        if finding.severity is Severity.CLEAR:
            self._windows.pop(name, None)
            return finding
        if window is not None and finding.opens:
            self._windows[name] = window.name
            return replace(finding, opens=False)
        if name not in self._windows:
            return finding
        since = _STANDS_SINCE.format(window=self._windows[name])
        return replace(finding, hint=Text("{hint} {since}", hint=finding.hint, since=since))
