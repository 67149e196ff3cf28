"""The desk: the one door through which incidents change.

Every change is one transaction: load, decide, append events, write the summary row and the outbox.
A refused action raises ``ActionRefused`` with the sentence that greys the page's button; a store
that does not answer raises ``StoreUnavailable`` and has changed nothing. Safe to call from any
thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from incidents.calendar.load import Calendar
from incidents.correlation import match as correlation
from incidents.correlation import placement
from incidents.correlation import table as causes
from incidents.documents import store as shelf
from incidents.documents.model import Document, Office
from incidents.ledger import chain as ledger
from incidents.ledger import payloads
from incidents.ledger.canonical_json import NotCanonical, mended
from incidents.ledger.chain import Head
from incidents.model import (
    JSON,
    SYSTEM,
    Assignment,
    Basis,
    Change,
    Event,
    EventKind,
    Incident,
    Reported,
    Signer,
)
from incidents.people import accounts as people
from incidents.procedure import sla
from incidents.procedure.load import Procedure
from incidents.records import summaries as records
from incidents.records.manual_report import manual_report
from incidents.records.repository import Folds, Rulebook
from incidents.records.rows import Inbox, IncidentRow, NoSuchIncident, Page
from incidents.records.signoff import leave_document
from incidents.records.timeline import TimelineEntry, lines
from incidents.records.transaction import Transaction
from incidents.store import Store
from incidents.workflow import actions, permissions
from incidents.workflow.actions import ActionRefused, Refusal, RefusalKind
from probes import Finding, Severity, Text

_TRIES = 5  # of a report that lost a race for its fingerprint; one retry is enough in practice


class Desk:
    """Reads and changes incidents; ``now`` is always an aware UTC instant of the caller."""

    def __init__(
        self, store: Store, procedure: Procedure, calendar: Calendar, office: Office | None = None
    ) -> None:
        """New incidents open under ``procedure`` and ``calendar``; open ones keep their own."""
        self._store = store
        self._rules = Rulebook(procedure, calendar)
        self.present_procedure = procedure
        self._folds = Folds(self._rules)
        self._office = office or Office()
        self._table = causes.load()

    # Changes. Each raises ActionRefused (a person's action) or StoreUnavailable.

    def report(self, finding: Finding, now: datetime) -> Reported:
        """State the present verdict; idempotent, so it may be stated at every reading."""
        with self._store.read() as connection:
            plan = placement.plan(connection, finding, self._folds, self._table)
        if not plan.writes:
            return Reported(plan.change, plan.number)
        for left in reversed(range(_TRIES)):
            try:
                return self._report(finding, now)
            except IntegrityError:  # another writer opened the same finding first
                if not left:
                    raise
        raise AssertionError("unreachable")

    def report_manually(
        self, form: JSON, signer: Signer | None, now: datetime, source: str = "person"
    ) -> Incident:
        """Open an incident from a Form Laporan.

        ``form`` keys: ``title`` (required), ``description``, ``target``, ``application``,
        ``agency``, ``reporter``, ``contact``, ``occurred_at`` (ISO 8601), ``severity`` (warning |
        critical, default critical). ``source``: person | agency | alertmanager. ``signer`` None:
        nobody with an account, for an agency or a webhook. Refuses an incomplete form.
        """
        payload = manual_report(form, source, self._rules)
        actor = signer.person.username if signer else SYSTEM
        with self._store.write() as connection:
            ledger.lock(connection)
            return self._open(connection, actor, payload, now).finish()

    def claim(self, number: str, action: actions.Claim, signer: Signer, now: datetime) -> Incident:
        """Say: I am on it. Stops no clock."""
        with self._acting(number, action, signer, now) as (change, by):
            step = change.incident.step
            payload = payloads.claimed(step, signer.person, by)
            change.write(EventKind.CLAIMED, signer.person.username, payload)
        return change.incident

    def sign(self, number: str, action: actions.Sign, signer: Signer, now: datetime) -> Incident:
        """Approve ("Ya") or return ("Tidak") the present step; leaves a document."""
        with self._acting(number, action, signer, now) as (change, by):
            event = leave_document(change, self._office, action, signer.person, by)
            change.turn(event)
        return change.incident

    def dismiss(
        self, number: str, action: actions.Dismiss, signer: Signer, now: datetime
    ) -> Incident:
        """Close at step 2 as not a disruption, or as a duplicate of an open incident.

        What a probe still says of a duplicate goes on in the incident it repeats.
        """
        with self._acting(number, action, signer, now) as (change, by):
            other = self._repeated(change, action) if action.duplicate_of else None
            event = leave_document(change, self._office, action, signer.person, by)
            change.turn(event)
            change.finish()
            if other is not None:
                self._pass_on(change, other)
        return change.incident

    def note(self, number: str, action: actions.Note, signer: Signer, now: datetime) -> Incident:
        """Write a remark into the timeline; does not change the version."""
        with self._acting(number, action, signer, now) as (change, _by):
            change.write(EventKind.NOTED, signer.person.username, payloads.noted(action.text))
        return change.incident

    def dispense(
        self, number: str, action: actions.Dispense, signer: Signer, now: datetime
    ) -> Incident:
        """Record a dispensation from the separation of duties."""
        with self._acting(number, action, signer, now) as (change, _by):
            payload = payloads.dispensed(action.step, action.username, action.reason)
            change.write(EventKind.DISPENSED, signer.person.username, payload)
        return change.incident

    def sweep(self, now: datetime) -> int:
        """Record every reminder (75 %) and breach that has come due, once, stamped with its
        deadline; returns how many. Call it every half minute."""
        with self._store.read() as connection:
            numbers = records.due_numbers(connection, now)
        count = 0
        for number in numbers:
            with self._changing(number, now) as change:
                count += change.catch_up()
                change.finish()
        return count

    # Reads.

    def check_permission(
        self, number: str, action: actions.Action, signer: Signer, now: datetime
    ) -> Refusal | None:
        """Why this person may not do this now, or None: what guards the change itself."""
        with self._store.read() as connection:
            incident = self._folds.load(connection, number)
            return self._check_permission(connection, incident, action, signer, now)

    def incident(self, number: str) -> Incident:
        """The incident as its events add up; raises ``NoSuchIncident``."""
        with self._store.read() as connection:
            return self._folds.load(connection, number)

    def procedure(self, number: str) -> Procedure:
        """The procedure this incident opened under."""
        with self._store.read() as connection:
            incident = self._folds.load(connection, number)
            return self._rules.procedure_of(connection, incident.procedure)

    def calendar(self, number: str) -> Calendar:
        """The calendar this incident opened under."""
        with self._store.read() as connection:
            incident = self._folds.load(connection, number)
            return self._rules.calendar_of(connection, incident.calendar)

    def roles_in_use(self) -> dict[str, tuple[Basis, ...]]:
        """The roles of every procedure in use, with the bases on which others may act in them."""
        with self._store.read() as connection:
            return {role.key: role.acting for role in self._folds.roles_in_use(connection)}

    def open_incidents(self) -> tuple[Incident, ...]:
        """Every open incident, the oldest first."""
        with self._store.read() as connection:
            return self._folds.load_open(connection)

    def awaited(self) -> frozenset[str]:
        """Fingerprints of which an all-clear would change something; all others need none."""
        with self._store.read() as connection:
            return records.awaited(connection)

    def inbox(self, signer: Signer, now: datetime) -> Inbox:
        """What waits for this person, what runs late elsewhere, and the other open incidents."""
        today = self._rules.calendar.local(now).date()
        with self._store.read() as connection:
            rows = records.open_rows(connection)
        mine = [row for row in rows if permissions.held(signer, row.role, today)]
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
        with self._store.read() as connection:
            return records.search(connection, state, text, after, limit)

    def row(self, number: str) -> IncidentRow:
        """One incident as a list shows it; raises ``NoSuchIncident``."""
        with self._store.read() as connection:
            return records.row(connection, number)

    def events(self, number: str) -> tuple[Event, ...]:
        """The incident's events in ledger order; raises ``NoSuchIncident``."""
        with self._store.read() as connection:
            found = ledger.events_of(connection, number)
        if not found:
            raise NoSuchIncident(number)
        return found

    def timeline(self, number: str) -> tuple[TimelineEntry, ...]:
        """The incident's events as lines to show, the oldest first."""
        with self._store.read() as connection:
            incident = self._folds.load(connection, number)
            rules = self._rules.procedure_of(connection, incident.procedure)
            events = ledger.events_of(connection, number)
            return lines(events, rules, people.names(connection))

    def clocks(self, number: str, now: datetime) -> sla.Clocks:
        """Step and overall clocks under the incident's own procedure and calendar."""
        with self._store.read() as connection:
            incident = self._folds.load(connection, number)
            rules = self._rules.procedure_of(connection, incident.procedure)
            calendar = self._rules.calendar_of(connection, incident.calendar)
        return sla.clocks(incident, rules, calendar, now)

    def documents(self, number: str) -> tuple[Document, ...]:
        """The incident's documents, the oldest first."""
        with self._store.read() as connection:
            return shelf.documents(connection, number)

    def document(self, number: str, id: str) -> Document:
        """One document; raises ``NoSuchDocument``."""
        with self._store.read() as connection:
            return shelf.document(connection, number, id)

    def ledger_head(self) -> Head:
        """The end of the ledger."""
        with self._store.read() as connection:
            return ledger.head(connection)

    # How.

    def _report(self, finding: Finding, now: datetime) -> Reported:
        with self._store.write() as connection:
            ledger.lock(connection)
            plan = placement.plan(connection, finding, self._folds, self._table)
            if plan.release:
                records.release(connection, str(finding.fingerprint))
            if plan.moves:
                records.hand_over(connection, str(finding.fingerprint))
            if plan.leaves:
                self._leave(connection, plan.leaves, finding, now)
            if plan.change is Change.NOTHING:
                return Reported(Change.NOTHING, plan.number)
            if plan.change is Change.OPENED:
                change = self._open(connection, SYSTEM, self._opening(finding, plan), now)
            else:
                change = self._prepared(connection, plan.number, now)
                kind, payload = placement.stated(finding, plan.change, plan.placement)
                change.write(kind, SYSTEM, mended(payload))
            change.finish()
            records.hold(connection, change.number, str(finding.fingerprint), finding.severity)
            if plan.change is Change.OPENED:
                self._draw_in(connection, finding, change, plan.leaves)
            return Reported(plan.change, change.number)

    def _leave(self, connection: Connection, number: str, finding: Finding, now: datetime) -> None:
        """Out of one incident, to be taken up by another: there it is over."""
        there = self._prepared(connection, number, now)
        gone = replace(finding, severity=Severity.CLEAR)
        there.write(EventKind.CLEARED, SYSTEM, mended(payloads.cleared(gone, moved=True)))
        there.finish()
        records.hand_over(connection, str(finding.fingerprint))

    def _draw_in(
        self, connection: Connection, finding: Finding, change: Transaction, left: str
    ) -> None:
        """Take over what came back with this fault and stands in the incident of an older one,
        and what is its symptom in the incident it ``left``."""
        others = self._folds.load_open(connection)
        for number, trouble, because in correlation.drawn_in(
            finding, others, self._table, left=left
        ):
            again = placement.stated_again(trouble, change.now)
            self._leave(connection, number, again, change.now)
            joined = payloads.attached(again, root=False, because=because)
            change.write(EventKind.ATTACHED, SYSTEM, mended(joined))
            change.finish()
            records.hold(connection, change.number, trouble.fingerprint, trouble.severity)

    def _opening(self, finding: Finding, plan: placement.Plan) -> JSON:
        payload = payloads.opened(
            finding,
            procedure=self._rules.procedure.hash,
            calendar=self._rules.calendar.hash,
            first_step=self._rules.procedure.first,
            previous=plan.previous,
        )
        opened: JSON = mended(payload)
        return opened

    def _open(
        self, connection: Connection, actor: str, payload: JSON, now: datetime
    ) -> Transaction:
        self._rules.keep(connection)
        year = self._rules.calendar.local(now).year
        number = records.next_number(connection, self._rules.procedure.number_prefix, year)
        rules, calendar = self._rules.procedure, self._rules.calendar
        change = Transaction(connection, number, None, rules, calendar, now)
        event = change.write(EventKind.OPENED, actor, payload)
        change.tell(event, "opened", (rules.step(rules.first).role,))
        return change

    def _prepared(self, connection: Connection, number: str, now: datetime) -> Transaction:
        incident = self._folds.load(connection, number)
        rules = self._rules.procedure_of(connection, incident.procedure)
        calendar = self._rules.calendar_of(connection, incident.calendar)
        return Transaction(connection, number, incident, rules, calendar, now)

    @contextmanager
    def _changing(self, number: str, now: datetime) -> Iterator[Transaction]:
        with self._store.write() as connection:
            ledger.lock(connection)
            yield self._prepared(connection, number, now)

    @contextmanager
    def _acting(
        self, number: str, action: actions.Action, signer: Signer, now: datetime
    ) -> Iterator[tuple[Transaction, Assignment]]:
        """A person's action: refused, or done with everything that was due before it."""
        with self._changing(number, now) as change:
            refused = self._check_permission(
                change.connection, change.incident, action, signer, now
            )
            if refused is not None:
                raise ActionRefused(refused)
            change.catch_up()
            try:
                yield change, self._basis(change, signer, now)
            except NotCanonical as error:
                raise ActionRefused(_unwritable(error)) from error
            change.finish()

    def _check_permission(
        self,
        connection: Connection,
        incident: Incident,
        action: actions.Action,
        signer: Signer,
        now: datetime,
    ) -> Refusal | None:
        rules = self._rules.procedure_of(connection, incident.procedure)
        zone = self._rules.calendar_of(connection, incident.calendar).zone
        holders = people.holders_by_role(connection, now.astimezone(zone).date())
        signer = _with_past(connection, signer)
        return permissions.check_permission(incident, action, signer, rules, now, zone, holders)

    def _basis(self, change: Transaction, signer: Signer, now: datetime) -> Assignment:
        """By which assignment a person signs the waiting step; notes need none of that role."""
        role = change.procedure.step(change.incident.step).role
        today = change.calendar.local(now).date()
        found = permissions.held(_with_past(change.connection, signer), role, today)
        return found or Assignment(signer.person.username, role)

    def _repeated(self, change: Transaction, action: actions.Dismiss) -> Incident:
        """The open incident that a duplicate repeats."""
        number = action.duplicate_of.strip()
        try:
            other = self._folds.load(change.connection, number)
        except NoSuchIncident as error:
            raise ActionRefused(
                Refusal(RefusalKind.FORM, error.sentence, {"duplicate_of": error.sentence})
            ) from error
        if not other.open:
            raise ActionRefused(_closed_already(number))
        return other

    def _pass_on(self, change: Transaction, other: Incident) -> None:
        """Give what is still red in a closed duplicate to the incident it repeats."""
        there = self._prepared(change.connection, other.number, change.now)
        for trouble in change.incident.troubles:
            if trouble.severity > Severity.CLEAR:
                again = placement.stated_again(trouble, change.now)
                payload = mended(payloads.attached(again, root=False, because=_DUPLICATE))
                there.write(EventKind.ATTACHED, SYSTEM, payload)
                there.finish()
                records.hold(change.connection, other.number, trouble.fingerprint, trouble.severity)


_DUPLICATE = Text("from a duplicate report")


def _by_due(rows: list[IncidentRow]) -> tuple[IncidentRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.due_at or row.opened_at, row.position)))


def _with_past(connection: Connection, signer: Signer) -> Signer:
    """The signer with every assignment on record, so that a refusal can say when one ended."""
    kept = people.assignments_of(connection, signer.person.username)
    return replace(signer, assignments=kept) if kept else signer


def _unwritable(error: NotCanonical) -> Refusal:
    return Refusal(
        RefusalKind.FORM,
        Text(
            "The form contains what cannot be kept ({error}); write that field again.", error=error
        ),
    )


def _closed_already(number: str) -> Refusal:
    sentence = Text(
        "Incident {number} is closed, so this is no duplicate of it; choose an open one.",
        number=number,
    )
    return Refusal(RefusalKind.FORM, sentence, {"duplicate_of": sentence})
