"""Health of the monitored servers, as values that pages and API show.

The pages know no engine and no probe. The agent fills these values; the pages and
``GET /api/v1/targets`` only show them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from probes import Severity, Text


class ProbeState(StrEnum):
    """State of one probe of one target. Blind and stale are never OK."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    BLIND = "blind"  # the probe cannot see: a grant, an instrument or a file is missing
    STALE = "stale"  # no reading for three intervals, or none yet
    UNUSED = "unused"  # does not apply here: another version, nothing configured to look at


WORST_FIRST = (
    ProbeState.CRITICAL,
    ProbeState.BLIND,
    ProbeState.STALE,
    ProbeState.WARNING,
    ProbeState.OK,
    ProbeState.UNUSED,
)
"""The order in which states are shown and summarised."""


@dataclass(frozen=True, slots=True)
class Value:
    """One measurement, still a number so that each language can format it."""

    name: str  # the measure, in plain words or as the probe names it
    value: float
    unit: str = ""  # seconds | bytes | ratio | "" (a count or a 0/1 state)
    subject: str = ""  # slot, replica, volume …
    warning: float | None = None
    critical: float | None = None


@dataclass(frozen=True, slots=True)
class FindingView:
    """An open finding, as the pages show it."""

    severity: Severity
    title: Text
    hint: Text
    since: datetime
    incident: str = ""  # the number of the open incident it belongs to
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ProbeHealth:
    """The newest state of one probe."""

    name: str
    question: Text
    state: ProbeState
    read_at: datetime | None = None  # aware UTC; None: never read
    duration_seconds: float | None = None
    values: tuple[Value, ...] = ()
    message: str = ""  # why it failed, in the server's own words
    why: Text = Text("")  # the same for both readers; what of it is the server's stays as it is
    hint: Text = Text("")  # the line that mends it
    findings: tuple[FindingView, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """One monitored server with all of its probes."""

    name: str
    engine: str
    flavour: str = ""  # postgresql | mysql | mariadb, "" when never reached
    version: str = ""
    address: str = ""  # host:port, no user and no password
    cluster: str = ""
    role: str = ""
    application: str = ""
    agency: str = ""
    up: bool | None = None  # None: not known yet
    maintenance: str = ""  # the announced work that holds its incidents back now
    probes: tuple[ProbeHealth, ...] = ()

    @property
    def findings(self) -> tuple[FindingView, ...]:
        """Its open findings, the worst and then the oldest first."""
        standing = [finding for probe in self.probes for finding in probe.findings]
        return tuple(sorted(standing, key=lambda each: (-each.severity, each.since)))

    @property
    def unseen(self) -> tuple[ProbeHealth, ...]:
        """Its probes without a present reading: blind or stale."""
        without = (ProbeState.BLIND, ProbeState.STALE)
        return tuple(probe for probe in self.probes if probe.state in without)

    @property
    def read_at(self) -> datetime | None:
        """The newest reading of any of its probes; None before the first."""
        return max((probe.read_at for probe in self.probes if probe.read_at), default=None)

    @property
    def state(self) -> ProbeState:
        """The worst state of its probes; stale when none has run."""
        states = {probe.state for probe in self.probes}
        return next((state for state in WORST_FIRST if state in states), ProbeState.STALE)


@dataclass(frozen=True, slots=True)
class PresentVerdict:
    """The last text of one finding, with its figures."""

    title: Text
    hint: Text
    at: datetime


def standing(targets: Iterable[TargetHealth]) -> dict[str, PresentVerdict]:
    """The open findings of these servers as last read, by fingerprint."""
    return {
        finding.fingerprint: PresentVerdict(finding.title, finding.hint, probe.read_at)
        for target in targets
        for probe in target.probes
        for finding in probe.findings
        if probe.read_at is not None
    }
