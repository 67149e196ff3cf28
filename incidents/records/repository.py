"""Incidents as their events add up to, remembered so that only new events are read.

Keeps what was committed, never what a transaction may still undo: an incident is remembered as
first loaded, before the caller appends to it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlalchemy import Connection

from incidents.calendar import load as calendars
from incidents.calendar.load import Calendar
from incidents.ledger import chain as ledger
from incidents.model import Incident
from incidents.procedure import load as procedure
from incidents.procedure.load import Procedure, Role
from incidents.records import summaries as records
from incidents.records.rows import NoSuchIncident
from incidents.workflow import fold

MOST_REMEMBERED = 2000


class Rulebook:
    """The procedures and calendars that incidents opened under, by content hash."""

    def __init__(self, procedure_: Procedure, calendar: Calendar) -> None:
        self.procedure, self.calendar = procedure_, calendar
        self._procedures = {procedure_.hash: procedure_}
        self._calendars = {calendar.hash: calendar}

    def keep(self, connection: Connection) -> None:
        """Keep today's two in the store, for the day when they are no longer today's."""
        records.keep_contents(
            connection,
            (
                (self.procedure.hash, "procedure", self.procedure.content),
                (self.calendar.hash, "calendar", self.calendar.content),
            ),
        )

    def procedure_of(self, connection: Connection, hash_: str) -> Procedure:
        """The procedure of that hash; raises LookupError."""
        if hash_ not in self._procedures:
            body = records.content(connection, hash_)
            self._procedures[hash_] = procedure.parse(body, f"procedure {hash_[:12]}")
        return self._procedures[hash_]

    def calendar_of(self, connection: Connection, hash_: str) -> Calendar:
        """The calendar of that hash; raises LookupError."""
        if hash_ not in self._calendars:
            body = records.content(connection, hash_)
            self._calendars[hash_] = calendars.parse(body, f"calendar {hash_[:12]}")
        return self._calendars[hash_]


class Folds:
    """Loads incidents, reading only the events that came since it last looked."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._remembered: OrderedDict[str, Incident] = OrderedDict()
        self._guard = threading.Lock()

    def load(self, connection: Connection, number: str) -> Incident:
        """The incident as committed; raises ``NoSuchIncident``.

        In a transaction of one's own: to be called before appending.
        """
        with self._guard:
            before = self._remembered.get(number)
        news = ledger.events_of(connection, number, before.last_sequence if before else 0)
        if before is None and not news:
            raise NoSuchIncident(number)
        if before is None:
            rules = self._rules.procedure_of(connection, str(news[0].payload["procedure"]))
        else:
            rules = self._rules.procedure_of(connection, before.procedure)
        incident = before
        for event in news:
            incident = fold.apply(incident, event, rules)
        if incident is None:
            raise NoSuchIncident(number)
        with self._guard:
            self._remembered[number] = incident
            self._remembered.move_to_end(number)
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return incident

    def load_open(self, connection: Connection) -> tuple[Incident, ...]:
        """Every open incident, the oldest first; asks for events only where there are new ones."""
        return tuple(
            self._still(number, last) or self.load(connection, number)
            for number, last in records.open_heads(connection)
        )

    def roles_in_use(self, connection: Connection) -> tuple[Role, ...]:
        """The roles of the procedures that open incidents run under, then of the present one."""
        hashes = {each.procedure for each in self.load_open(connection)}
        older = [self._rules.procedure_of(connection, each) for each in sorted(hashes)]
        return tuple(role for each in (*older, self._rules.procedure) for role in each.roles)

    def _still(self, number: str, last_sequence: int) -> Incident | None:
        with self._guard:
            before = self._remembered.get(number)
        return before if before and before.last_sequence == last_sequence else None
