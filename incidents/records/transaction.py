"""Write transactions on incidents: append events, fold them, and write the derived rows.

One transaction holds the lock on the ledger's head, so that there is no other writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from incidents.calendar.load import Calendar
from incidents.ledger import chain as ledger
from incidents.ledger import payloads
from incidents.ledger.chain import Draft
from incidents.model import JSON, SYSTEM, Event, EventKind, Incident, Outcome
from incidents.notify import outbox
from incidents.procedure import sla
from incidents.procedure.load import Procedure
from incidents.procedure.model import TURN
from incidents.records import summaries as records
from incidents.records.repository import Repository, Situation
from incidents.workflow import fold
from probes import Severity

TOLD_FROM = timedelta(seconds=1)
"""Less is the slewing of a clock, or the clock of another writer of the store."""


@dataclass(frozen=True, slots=True)
class WritingTime:
    """When a transaction writes, and how far the host's clock stands before that."""

    at: datetime
    behind: timedelta


class Transaction:
    """Appends events to one incident; ``finish`` writes what lists and senders read."""

    def __init__(
        self,
        connection: Connection,
        number: str,
        incident: Incident | None,
        procedure: Procedure,
        calendar: Calendar,
        time: WritingTime,
    ) -> None:
        self.connection = connection
        self.number = number
        self.procedure = procedure
        self.calendar = calendar
        self.now = time.at
        self._behind = time.behind
        self._incident = incident
        self._last: Event | None = None

    @property
    def incident(self) -> Incident:
        """The incident including what was appended so far."""
        if self._incident is None:
            raise LookupError(f"{self.number} has no event yet")
        return self._incident

    def write(self, kind: EventKind, actor: str, payload: JSON) -> Event:
        """Append one event. Raises ``NotCanonical``, and ``FoldError`` if it cannot follow."""
        if self._behind >= TOLD_FROM:
            payload = payloads.clock_behind(payload, self._behind)
        draft = Draft(self.number, kind, self.now, actor, payload)
        (event,) = ledger.append(self.connection, [draft])
        self._incident = fold.apply(self._incident, event, self.procedure)
        self._last = event
        return event

    def catch_up(self) -> int:
        """Write the reminders and breaches that are due; returns how many."""
        due = sla.pending(self.incident, self.procedure, self.calendar, self.now)
        for each in due:
            build = payloads.breached if each.kind is EventKind.BREACHED else payloads.reminded
            event = self.write(each.kind, SYSTEM, build(each.step, each.attempt, each.deadline))
            self.tell(event, each.kind.value, self._to_be_told(each))
        return len(due)

    def tell(self, event: Event, topic: str, roles: tuple[str, ...]) -> None:
        """Queue messages to roles about an event."""
        outbox.tell(self.connection, event.sequence, self.number, topic, roles, self.now)

    def turn(self, event: Event) -> None:
        """Queue a message to the role whose turn it is now, or that the incident is closed."""
        if self.incident.open:
            self.tell(event, "step", (self.procedure.step(self.incident.step).role,))
        else:
            self.tell(event, "closed", self.procedure.informed.closed)

    def finish(self) -> Incident:
        """Write the summary row, and release the findings of a closed incident."""
        incident = self.incident
        if self._last is not None:
            records.summarise(
                self.connection, incident, self._last, self.procedure, self.calendar, self.now
            )
        if not incident.open:
            dismissed = incident.outcome is Outcome.NOT_A_DISRUPTION
            records.let_go(self.connection, self.number, held_back=dismissed)
        return incident

    def hold(self, fingerprint: str, severity: Severity) -> None:
        """Finish, and bind a finding to the incident. Raises ``IntegrityError`` if another open
        incident has it."""
        self.finish()
        records.hold(self.connection, self.number, fingerprint, severity)

    def state(self, kind: EventKind, payload: JSON, fingerprint: str, severity: Severity) -> None:
        """Write what a probe says of a finding, and bind it."""
        self.write(kind, SYSTEM, payload)
        self.hold(fingerprint, severity)

    def _to_be_told(self, due: sla.Due) -> tuple[str, ...]:
        rule = self.procedure.informed.step if due.step else self.procedure.informed.overall
        told = rule.breached if due.kind is EventKind.BREACHED else rule.reminded
        turn = self.procedure.step(due.step or self.incident.step).role
        return tuple(dict.fromkeys(turn if role == TURN else role for role in told))


class Writer:
    """Opens and changes incidents in one transaction that writes."""

    def __init__(self, connection: Connection, repository: Repository, now: datetime) -> None:
        """Takes the lock on the ledger's head.

        The ledger's instants never go back: while ``now`` is before its last event, everything is
        written at that event's instant.
        """
        last = ledger.last_instant(connection, ledger.lock(connection))
        self.connection = connection
        self.rules = repository.rules
        self.now = now if last is None else max(now, last)
        self.behind = self.now - now
        self._time = WritingTime(self.now, self.behind)
        self._repository = repository

    def open(self, actor: str, payload: JSON) -> Transaction:
        """Open an incident under the procedure and calendar of today."""
        self.rules.keep(self.connection)
        rules, calendar = self.rules.procedure, self.rules.calendar
        year = calendar.local(self.now).year
        number = records.next_number(self.connection, rules.number_prefix, year)
        change = Transaction(self.connection, number, None, rules, calendar, self._time)
        event = change.write(EventKind.OPENED, actor, payload)
        change.tell(event, "opened", (rules.step(rules.first).role,))
        return change

    def change(self, number: str) -> Transaction:
        """Change an open incident; raises ``NoSuchIncident``."""
        incident = self.incident(number)
        rules, calendar = self._repository.rules_of(self.connection, incident)
        return Transaction(self.connection, number, incident, rules, calendar, self._time)

    def incident(self, number: str) -> Incident:
        """The incident with what this transaction has written; raises ``NoSuchIncident``."""
        return self._repository.load(self.connection, number, remember=False)

    def situation(self, fingerprint: str) -> Situation:
        """Everything that a finding's place depends on."""
        return self._repository.situation(self.connection, fingerprint, remember=False)
