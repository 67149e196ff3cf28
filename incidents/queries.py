"""Reads of incidents, each over one snapshot of the store.

``Queries.snapshot`` opens one read transaction; everything read from it belongs together, so what a
page shows and what it allows cannot differ. A read called on ``Queries`` itself is a snapshot of
its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from incidents.calendar.load import Calendar
from incidents.documents import store as documents
from incidents.documents.model import Document
from incidents.ledger import chain
from incidents.ledger.chain import Head
from incidents.model import Basis, Event, Incident, Signer
from incidents.people import directory, sessions
from incidents.people.directory import Directory
from incidents.people.sessions import StoredSession
from incidents.procedure import sla
from incidents.procedure.load import Procedure
from incidents.procedure.sla import SlaClocks
from incidents.records import summaries
from incidents.records.repository import Repository, Situation
from incidents.records.rows import Inbox, IncidentRow, NoSuchIncident, Page
from incidents.records.timeline import TimelineEntry, lines
from incidents.store import Store
from incidents.workflow.actions import Action, Refusal
from incidents.workflow.permissions import Permissions, check_permission, held, permissions


@dataclass(frozen=True, slots=True)
class IncidentDetails:
    """One incident with everything a page shows, and what one person may do."""

    incident: Incident
    procedure: Procedure
    calendar: Calendar
    clocks: SlaClocks
    timeline: tuple[TimelineEntry, ...]
    documents: tuple[Document, ...]
    holders: Mapping[str, Mapping[str, str]]  # role -> username -> name, of today
    names: Mapping[str, str]  # username -> name, of everybody
    may: Permissions


class Snapshot:
    """Reads in one transaction; nothing written after it began is seen."""

    def __init__(
        self, connection: Connection, repository: Repository, *, remember: bool = True
    ) -> None:
        """Without ``remember`` nothing read is kept, for a transaction that may be undone."""
        self._connection = connection
        self._repository = repository
        self._remember = remember

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        yield self._connection

    def incident(self, number: str) -> Incident:
        """The incident computed from its events; raises ``NoSuchIncident``."""
        with self._reading() as connection:
            return self._repository.load(connection, number, remember=self._remember)

    def procedure(self, number: str) -> Procedure:
        """The procedure this incident opened under."""
        with self._reading() as connection:
            incident = self._repository.load(connection, number, remember=self._remember)
            return self._repository.rules.procedure_of(connection, incident.procedure)

    def calendar(self, number: str) -> Calendar:
        """The calendar this incident opened under."""
        with self._reading() as connection:
            incident = self._repository.load(connection, number, remember=self._remember)
            return self._repository.rules.calendar_of(connection, incident.calendar)

    def open_incidents(self) -> tuple[Incident, ...]:
        """Every open incident, the oldest first."""
        with self._reading() as connection:
            return self._repository.load_open(connection, remember=self._remember)

    def details(self, number: str, signer: Signer, now: datetime) -> IncidentDetails:
        """Everything shown of one incident; raises ``NoSuchIncident``."""
        with self._reading() as connection:
            incident, events = self._repository.load_with_events(connection, number)
            procedure, calendar = self._repository.rules_of(connection, incident)
            everybody = directory.read(connection)
            holders = everybody.holders(calendar.local(now).date())
            return IncidentDetails(
                incident=incident,
                procedure=procedure,
                calendar=calendar,
                clocks=sla.clocks(incident, procedure, calendar, now),
                timeline=lines(events, procedure, everybody.names),
                documents=documents.documents(connection, number),
                holders=holders,
                names=everybody.names,
                may=permissions(
                    incident,
                    everybody.with_history(signer),
                    procedure,
                    now,
                    calendar.zone,
                    holders,
                ),
            )

    def check_permission(
        self, incident: Incident, action: Action, signer: Signer, now: datetime
    ) -> Refusal | None:
        """Why this person may not do this now, or None."""
        with self._reading() as connection:
            procedure = self._repository.rules.procedure_of(connection, incident.procedure)
            zone = self._repository.rules.calendar_of(connection, incident.calendar).zone
            everybody = directory.read(connection)
        holders = everybody.holders(now.astimezone(zone).date())
        whole = everybody.with_history(signer)
        return check_permission(incident, action, whole, procedure, now, zone, holders)

    def awaited(self) -> frozenset[str]:
        """Fingerprints whose clearing would change something; all others need no report of it."""
        with self._reading() as connection:
            return summaries.awaited(connection)

    def inbox(self, signer: Signer, now: datetime) -> Inbox:
        """What waits for this person, what is late elsewhere, and the other open incidents."""
        today = self._repository.rules.calendar.local(now).date()
        with self._reading() as connection:
            rows = summaries.open_rows(connection)
        mine = [row for row in rows if held(signer, row.role, today)]
        numbers = {row.number for row in mine}
        rest = [row for row in rows if row.number not in numbers]
        return Inbox(
            mine=_by_due(mine),
            late=_by_due([row for row in rest if row.late(now)]),
            others=tuple(row for row in rest if not row.late(now)),
        )

    def search(
        self, state: str = "all", text: str = "", after: int | None = None, limit: int = 50
    ) -> Page:
        """Incidents newest first; ``state``: open | closed | all; ``text``: every word must occur
        in number, title, target, cluster, application or agency; ``after``: ``Page.after``."""
        with self._reading() as connection:
            return summaries.search(connection, state, text, after, limit)

    def row(self, number: str) -> IncidentRow:
        """One incident as a list shows it; raises ``NoSuchIncident``."""
        with self._reading() as connection:
            return summaries.row(connection, number)

    def events(self, number: str) -> tuple[Event, ...]:
        """The incident's events in ledger order; raises ``NoSuchIncident``."""
        with self._reading() as connection:
            found = chain.events_of(connection, number)
        if not found:
            raise NoSuchIncident(number)
        return found

    def timeline(self, number: str) -> tuple[TimelineEntry, ...]:
        """The incident's events as sentences, the oldest first."""
        with self._reading() as connection:
            incident, events = self._repository.load_with_events(connection, number)
            procedure = self._repository.rules.procedure_of(connection, incident.procedure)
            return lines(events, procedure, directory.read(connection).names)

    def clocks(self, number: str, now: datetime) -> SlaClocks:
        """Step and overall clocks under the incident's own procedure and calendar."""
        with self._reading() as connection:
            incident = self._repository.load(connection, number, remember=self._remember)
            procedure, calendar = self._repository.rules_of(connection, incident)
        return sla.clocks(incident, procedure, calendar, now)

    def documents(self, number: str) -> tuple[Document, ...]:
        """The incident's documents, the oldest first."""
        with self._reading() as connection:
            return documents.documents(connection, number)

    def document(self, number: str, id: str) -> Document:
        """One document; raises ``NoSuchDocument``."""
        with self._reading() as connection:
            return documents.document(connection, number, id)

    def ledger_head(self) -> Head:
        """The end of the ledger."""
        with self._reading() as connection:
            return chain.head(connection)

    def due_numbers(self, now: datetime) -> tuple[str, ...]:
        """Incidents with a reminder or a breach to record."""
        with self._reading() as connection:
            return summaries.due_numbers(connection, now)

    def roles_in_use(self) -> dict[str, tuple[Basis, ...]]:
        """The roles of every procedure in use, with the bases on which others may act in them."""
        with self._reading() as connection:
            return {role.key: role.acting for role in self._repository.roles_in_use(connection)}

    def situation(self, fingerprint: str) -> Situation:
        """Everything that a finding's place depends on."""
        with self._reading() as connection:
            return self._repository.situation(connection, fingerprint, remember=self._remember)

    def signed_in(self, token: str, now: datetime) -> StoredSession | None:
        """The person of this session; None if it is unknown or has ended."""
        with self._reading() as connection:
            return sessions.find(connection, token, now)

    def signer(self, username: str, on: date) -> Signer | None:
        """An active person with the roles of the day."""
        with self._reading() as connection:
            return directory.read(connection, username).signer(username, on)

    def with_history(self, signer: Signer) -> Signer:
        """The signer with every assignment on record."""
        with self._reading() as connection:
            return directory.read(connection, signer.person.username).with_history(signer)

    def everybody(self) -> Directory:
        """All people with their assignments."""
        with self._reading() as connection:
            return directory.read(connection)


class Queries(Snapshot):
    """Opens snapshots; a read called here is a snapshot of its own. Safe to use from any thread.

    Raises ``StoreUnavailable``.
    """

    def __init__(self, store: Store, repository: Repository) -> None:
        self._store = store
        self._repository = repository
        self._remember = True

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several reads of one transaction. Keep it short: on SQLite a writer may wait for it."""
        with self._store.read() as connection:
            yield Snapshot(connection, self._repository)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._store.read() as connection:
            yield connection


def _by_due(rows: list[IncidentRow]) -> tuple[IncidentRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.due_at or row.opened_at, row.position)))
