"""Log lines for changes: verdicts, servers that go down or come back, maintenance windows.

One line at each change, never one for each reading, so that the log is complete without incidents.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from agent.runtime.maintenance import On
from probes import Finding, Fingerprint, Reading, Severity
from probes.i18n.formats import duration

log = logging.getLogger("sigap.verdicts")

_NAMES: Final[Mapping[Severity, str]] = {
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


def changed(before: Finding | None, now: Finding) -> bool:
    """Whether the verdict is another than the one before; None: nothing was raised."""
    return now.severity != (before.severity if before is not None else Severity.CLEAR)


def tell(before: Finding | None, now: Finding) -> None:
    """Log that a verdict has changed."""
    if now.severity > Severity.CLEAR:
        log.warning("%s: %s", _NAMES[now.severity], now.title.en)
    elif before is not None:  # its own title now holds the figures of a good reading
        log.info("clear after %s: %s", duration_of(before, now), before.title.en)


def duration_of(before: Finding, now: Finding) -> str:
    """How long it lasted, from the first bad reading to the first good one."""
    return duration(max(0.0, (now.since - before.since).total_seconds())).en


class NoDesk:
    """The queue of an agent without a store: verdicts are on /metrics and in the log."""

    def __init__(self) -> None:
        self._standing: dict[Fingerprint, Finding] = {}  # as it was raised

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        """Log a verdict that has changed."""
        name = finding.fingerprint
        before = self._standing.get(name)
        if not changed(before, finding):
            return
        tell(before, finding)
        if finding.severity > Severity.CLEAR:
            self._standing[name] = finding
        else:
            self._standing.pop(name, None)


def tell_up(reading: Reading, up: bool, *, before: bool | None) -> None:
    """Log that a server can be used or not; ``before`` None: it was not read yet."""
    if up:
        log.info("%s answers%s", reading.target, "" if before is None else " again")
    else:
        why = reading.failure.message if reading.failure else "its availability probe measures 0"
        log.warning("%s cannot be used: %s", reading.target, why)


def tell_window(target: str, before: On | None, now: On | None) -> None:
    """Log that a maintenance window has begun or ended."""
    if now is not None:
        log.info(
            "%s: maintenance '%s' began; no incident is opened until %s",
            target,
            now.name,
            now.until.isoformat(timespec="minutes"),
        )
    elif before is not None:
        log.info("%s: maintenance '%s' ended", target, before.name)
