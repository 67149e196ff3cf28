"""Findings as the agents report them, and a desk that only assigns them to incidents."""

from __future__ import annotations

from datetime import datetime, timedelta

from incidents.correlation.match import Match, match
from incidents.ledger import payloads
from incidents.model import JSON, Event, EventKind, Incident
from incidents.workflow import fold
from probes import Finding, Severity
from tests.incidents.builders import CALENDAR, PROCEDURE, at, finding

NOW = at("2026-07-02 09:00")
MINUTE = timedelta(minutes=1)


class Desk:
    """Places findings as the desk will: join, or open one of its own."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.sequence = 0

    def report(self, found: Finding) -> Match:
        placed = match(found, self.incidents.values())
        clear = found.severity is Severity.CLEAR
        if placed.known:
            build = payloads.cleared if clear else payloads.observed
            kind = EventKind.CLEARED if clear else EventKind.OBSERVED
            self._write(placed.number, kind, found, build(found))
        elif placed.number:
            payload = payloads.attached(found, root=placed.root, because=placed.because)
            self._write(placed.number, EventKind.ATTACHED, found, payload)
        elif not clear:
            number = f"GDB-2026-{len(self.incidents) + 1:04}"
            payload = payloads.opened(
                found, procedure=PROCEDURE.hash, calendar=CALENDAR.hash, first_step=1
            )
            self._write(number, EventKind.OPENED, found, payload)
        return placed

    def _write(self, number: str, kind: EventKind, found: Finding, payload: JSON) -> None:
        self.sequence += 1
        event = Event(self.sequence, number, kind, found.at, "sigap", payload)
        before = self.incidents.get(number)
        self.incidents[number] = fold.apply(before, event, PROCEDURE)

    @property
    def only(self) -> Incident:
        assert len(self.incidents) == 1
        return next(iter(self.incidents.values()))


def down(target: str = "simpeg-primary", role: str = "primary", when: datetime = NOW) -> Finding:
    return finding(target, "up", when=when, role=role)


def lag(target: str = "simpeg-replica", when: datetime = NOW, cluster: str = "simpeg") -> Finding:
    return finding(
        target, "receiver_up", family="replication", when=when, role="replica", cluster=cluster
    )


def full(
    target: str = "simpeg-primary",
    subject: str = "/srv/wal",
    host: str = "",
    cluster: str = "simpeg",
) -> Finding:
    return finding(
        target, "volume_room_ratio", subject, "volume", role="primary", host=host, cluster=cluster
    )


def blocked(target: str = "simpeg-primary", measure: str = "blocked_seconds") -> Finding:
    return finding(target, measure, family="locks", role="primary")


def on(
    target: str,
    family: str,
    measure: str,
    subject: str = "",
    role: str = "",
    cluster: str = "simpeg",
    host: str = "",
) -> Finding:
    """A critical finding of one server of the cluster, each on a host of its own."""
    place = host or f"host-of-{target}"
    return finding(target, measure, subject, family, role=role, cluster=cluster, host=place)
