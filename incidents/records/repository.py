"""Loads incidents from their events, cached so that only new events are read.

Caches committed state only: an incident is cached as first loaded, before the caller appends to it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from incidents.calendar import load as calendars
from incidents.calendar.load import Calendar
from incidents.ledger import chain
from incidents.model import Event, Incident
from incidents.procedure import load as procedure
from incidents.procedure.load import Procedure, Role
from incidents.records import summaries
from incidents.records.rows import NoSuchIncident
from incidents.records.summaries import ClosedFinding, OpenFinding
from incidents.workflow import fold

MOST_REMEMBERED = 2000


class VersionedRules:
    """The procedures and calendars that incidents opened under, by content hash."""

    def __init__(self, procedure_: Procedure, calendar: Calendar) -> None:
        self.procedure, self.calendar = procedure_, calendar
        self._procedures = {procedure_.hash: procedure_}
        self._calendars = {calendar.hash: calendar}

    def keep(self, connection: Connection) -> None:
        """Store today's procedure and calendar, for when they have been replaced."""
        summaries.keep_contents(
            connection,
            (
                (self.procedure.hash, "procedure", self.procedure.content),
                (self.calendar.hash, "calendar", self.calendar.content),
            ),
        )

    def procedure_of(self, connection: Connection, hash_: str) -> Procedure:
        """The procedure of that hash; raises LookupError."""
        if hash_ not in self._procedures:
            body = summaries.content(connection, hash_)
            self._procedures[hash_] = procedure.parse(body, f"procedure {hash_[:12]}")
        return self._procedures[hash_]

    def calendar_of(self, connection: Connection, hash_: str) -> Calendar:
        """The calendar of that hash; raises LookupError."""
        if hash_ not in self._calendars:
            body = summaries.content(connection, hash_)
            self._calendars[hash_] = calendars.parse(body, f"calendar {hash_[:12]}")
        return self._calendars[hash_]


@dataclass(frozen=True, slots=True)
class Situation:
    """What the store knows around one finding."""

    known: OpenFinding | None  # where it is open
    past: ClosedFinding | None  # where it was last
    incidents: tuple[Incident, ...]  # every open one, the oldest first


class Repository:
    """Loads incidents, reading only the events since the last load."""

    def __init__(self, rules: VersionedRules) -> None:
        self.rules = rules
        self._remembered: OrderedDict[str, Incident] = OrderedDict()
        self._guard = threading.Lock()

    def load(self, connection: Connection, number: str, *, remember: bool = True) -> Incident:
        """The incident as this transaction sees it; raises ``NoSuchIncident``.

        Without ``remember`` nothing is cached, for a write transaction that may be rolled back.
        """
        before = self._recall(number)
        # The last event remembered is read again: a transaction older than it does not see it.
        after = before.last_sequence - 1 if before else 0
        events = chain.events_of(connection, number, after)
        if before is not None and not events:
            before, events = None, chain.events_of(connection, number)
        return self._folded(connection, number, before, events, remember)

    def load_with_events(
        self, connection: Connection, number: str
    ) -> tuple[Incident, tuple[Event, ...]]:
        """The incident and all of its events; raises ``NoSuchIncident``."""
        events = chain.events_of(connection, number)
        before = self._recall(number)
        if before is not None and (not events or before.last_sequence > events[-1].sequence):
            before = None
        return self._folded(connection, number, before, events, remember=True), events

    def load_open(self, connection: Connection, *, remember: bool = True) -> tuple[Incident, ...]:
        """Every open incident, the oldest first; asks for events only where there are new ones."""
        return self._of_heads(connection, summaries.open_heads(connection), remember)

    def situation(
        self, connection: Connection, fingerprint: str, *, remember: bool = True
    ) -> Situation:
        """Everything that a finding's place depends on."""
        known, past, heads = summaries.around(connection, fingerprint)
        return Situation(known, past, self._of_heads(connection, heads, remember))

    def _of_heads(
        self, connection: Connection, heads: Sequence[tuple[str, int]], remember: bool
    ) -> tuple[Incident, ...]:
        found = []
        for number, last in heads:
            kept = self._recall(number)
            same = kept is not None and kept.last_sequence == last
            found.append(
                kept if kept and same else self.load(connection, number, remember=remember)
            )
        return tuple(found)

    def rules_of(self, connection: Connection, incident: Incident) -> tuple[Procedure, Calendar]:
        """The procedure and the calendar the incident opened under."""
        return (
            self.rules.procedure_of(connection, incident.procedure),
            self.rules.calendar_of(connection, incident.calendar),
        )

    def roles_in_use(self, connection: Connection) -> tuple[Role, ...]:
        """The roles of the procedures that open incidents run under, then of the present one."""
        hashes = {each.procedure for each in self.load_open(connection)}
        older = [self.rules.procedure_of(connection, each) for each in sorted(hashes)]
        return tuple(role for each in (*older, self.rules.procedure) for role in each.roles)

    def _recall(self, number: str) -> Incident | None:
        with self._guard:
            return self._remembered.get(number)

    def _folded(
        self,
        connection: Connection,
        number: str,
        before: Incident | None,
        events: Sequence[Event],
        remember: bool,
    ) -> Incident:
        if not events:
            raise NoSuchIncident(number)
        hash_ = before.procedure if before else str(events[0].payload["procedure"])
        rules = self.rules.procedure_of(connection, hash_)
        incident = before
        for event in events:
            if before is None or event.sequence > before.last_sequence:
                incident = fold.apply(incident, event, rules)
        if incident is None:
            raise NoSuchIncident(number)
        if remember:
            self._remember(incident)
        return incident

    def _remember(self, incident: Incident) -> None:
        with self._guard:
            kept = self._remembered.get(incident.number)
            if kept is None or kept.last_sequence < incident.last_sequence:
                self._remembered[incident.number] = incident
            self._remembered.move_to_end(incident.number)
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
