"""The desk: all changes of incidents go through it.

Every change is one transaction: load, decide, append events, write the summary row and the outbox.
A refused action raises ``ActionRefused`` with the sentence shown on the page; a store that does not
answer raises ``StoreUnavailable`` and has changed nothing. Thread-safe.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from incidents.calendar.load import Calendar
from incidents.correlation import apply
from incidents.correlation import table as causes
from incidents.correlation.placement import place
from incidents.documents.model import Office
from incidents.ledger import payloads
from incidents.ledger.canonical_json import NotCanonical
from incidents.ledger.chain import written
from incidents.model import JSON, SYSTEM, Assignment, EventKind, Incident, Reported, Signer
from incidents.procedure.load import Procedure
from incidents.queries import Queries, Snapshot
from incidents.records.manual_report import manual_report
from incidents.records.repository import Repository, VersionedRules
from incidents.records.rows import NoSuchIncident
from incidents.records.signoff import leave_document
from incidents.records.transaction import TOLD_FROM, Transaction, Writer
from incidents.store import Store
from incidents.workflow.actions import (
    Action,
    ActionRefused,
    AddNote,
    Claim,
    Dismiss,
    Dispense,
    Refusal,
    RefusalKind,
    Sign,
)
from incidents.workflow.permissions import held
from probes import Finding, Text
from probes.i18n.formats import duration

log = logging.getLogger("sigap.desk")

_TRIES = 5  # of a report that lost a race for its fingerprint; one retry is enough in practice


class Desk:
    """Changes incidents; ``now`` is always an aware UTC instant of the caller."""

    def __init__(
        self, store: Store, procedure: Procedure, calendar: Calendar, office: Office | None = None
    ) -> None:
        """New incidents open under ``procedure`` and ``calendar``; open ones keep their own."""
        self._store = store
        self._clock_behind = False
        self._rules = VersionedRules(procedure, calendar)
        self._repository = Repository(self._rules)
        self.present_procedure = procedure
        self._office = office or Office()
        self._table = causes.load()
        self.queries = Queries(store, self._repository)

    def report(self, finding: Finding, now: datetime) -> Reported:
        """Report the present verdict; idempotent, so it may be reported at every reading."""
        fingerprint = str(finding.fingerprint)
        placement = place(finding, self.queries.situation(fingerprint), self._table)
        if not placement.writes:
            return placement.reported
        for left in reversed(range(_TRIES)):
            try:
                with self._writing(now) as writer:
                    placement = place(finding, writer.situation(fingerprint), self._table)
                    return apply.apply(placement, finding, writer)
            except IntegrityError:  # another writer opened the same finding first
                if not left:
                    raise
        raise AssertionError("unreachable")

    def awaited(self) -> frozenset[str]:
        """Fingerprints whose clearing would change something; all others need no report of it."""
        return self.queries.awaited()

    def report_manually(
        self, form: JSON, signer: Signer | None, now: datetime, source: str = "person"
    ) -> Incident:
        """Open an incident from a Form Laporan.

        ``form`` keys: ``title`` (required), ``description``, ``target``, ``application``,
        ``agency``, ``reporter``, ``contact``, ``occurred_at`` (ISO 8601), ``severity`` (warning |
        critical, default critical). ``source``: person | agency | alertmanager. ``signer`` is None
        for a reporter without an account (an agency or a webhook). Refuses an incomplete form.
        """
        payload = manual_report(form, source, self._rules)
        actor = signer.person.username if signer else SYSTEM
        with self._writing(now) as writer:
            return writer.open(actor, payload).finish()

    def act(self, number: str, action: Action, signer: Signer, now: datetime) -> Incident:
        """Do what a person asks; raises ``ActionRefused``."""
        match action:
            case Sign():
                return self.sign(number, action, signer, now)
            case Claim():
                return self.claim(number, action, signer, now)
            case Dismiss():
                return self.dismiss(number, action, signer, now)
            case AddNote():
                return self.note(number, action, signer, now)
            case Dispense():
                return self.dispense(number, action, signer, now)

    def claim(self, number: str, action: Claim, signer: Signer, now: datetime) -> Incident:
        """Claim the waiting step ("I am on it"). Stops no clock."""
        with self._acting(number, action, signer, now) as (change, by, _writer):
            payload = payloads.claimed(change.incident.step, signer.person, by)
            change.write(EventKind.CLAIMED, signer.person.username, payload)
        return change.incident

    def sign(self, number: str, action: Sign, signer: Signer, now: datetime) -> Incident:
        """Approve ("Ya") or return ("Tidak") the present step; leaves a document."""
        with self._acting(number, action, signer, now) as (change, by, _writer):
            event = leave_document(change, self._office, action, signer.person, by)
            change.turn(event)
        return change.incident

    def dismiss(self, number: str, action: Dismiss, signer: Signer, now: datetime) -> Incident:
        """Close as not a disruption, or as a duplicate of an open incident.

        Findings of a duplicate that are still open continue in the incident it repeats.
        """
        with self._acting(number, action, signer, now) as (change, by, writer):
            other = _repeated(writer, action) if action.duplicate_of else None
            event = leave_document(change, self._office, action, signer.person, by)
            change.turn(event)
            change.finish()
            if other is not None:
                apply.pass_on(writer, change.incident, other.number)
        return change.incident

    def note(self, number: str, action: AddNote, signer: Signer, now: datetime) -> Incident:
        """Write a remark into the timeline; does not change the version."""
        with self._acting(number, action, signer, now) as (change, _by, _writer):
            change.write(EventKind.NOTED, signer.person.username, payloads.noted(action.text))
        return change.incident

    def dispense(self, number: str, action: Dispense, signer: Signer, now: datetime) -> Incident:
        """Record a dispensation from the separation of duties."""
        with self._acting(number, action, signer, now) as (change, _by, _writer):
            payload = payloads.dispensed(action.step, action.username, action.reason)
            change.write(EventKind.DISPENSED, signer.person.username, payload)
        return change.incident

    def sweep(self, now: datetime) -> int:
        """Record every reminder and breach that is due, once, with the time it was due; returns
        how many. Call it every half minute.
        """
        count = 0
        for number in self.queries.due_numbers(now):
            with self._writing(now) as writer:
                change = writer.change(number)
                count += change.catch_up()
                change.finish()
        return count

    @contextmanager
    def _writing(self, now: datetime) -> Iterator[Writer]:
        with self._store.write() as connection:
            writer = Writer(connection, self._repository, now)
            self._tell_of_clock(writer)
            yield writer

    def _tell_of_clock(self, writer: Writer) -> None:
        """Log once that the host's clock went back, and once that it has caught up."""
        behind = writer.behind >= TOLD_FROM
        if behind and not self._clock_behind:
            log.warning(
                "the clock of this host is %s before the last event of the ledger; events are "
                "written at %s until it has caught up: check its time synchronisation",
                duration(writer.behind.total_seconds()).en,
                written(writer.now),
            )
        elif self._clock_behind and not behind:
            log.warning("the clock of this host has caught up with the ledger")
        self._clock_behind = behind

    def _seen(self, writer: Writer) -> Snapshot:
        """Reads in the transaction that writes."""
        return Snapshot(writer.connection, self._repository, remember=False)

    @contextmanager
    def _acting(
        self, number: str, action: Action, signer: Signer, now: datetime
    ) -> Iterator[tuple[Transaction, Assignment, Writer]]:
        """A person's action: refused, or done after everything that was due before it."""
        with self._writing(now) as writer:
            change = writer.change(number)
            seen = self._seen(writer)
            refused = seen.check_permission(change.incident, action, signer, writer.now)
            if refused is not None:
                raise ActionRefused(refused)
            change.catch_up()
            role = change.procedure.step(change.incident.step).role
            by = held(seen.with_history(signer), role, change.calendar.local(writer.now).date())
            try:
                yield change, by or Assignment(signer.person.username, role), writer
            except NotCanonical as error:
                raise ActionRefused(_unwritable(error)) from error
            change.finish()


def _repeated(writer: Writer, action: Dismiss) -> Incident:
    """The open incident that a duplicate repeats."""
    number = action.duplicate_of.strip()
    try:
        other = writer.incident(number)
    except NoSuchIncident as error:
        raise ActionRefused(
            Refusal(RefusalKind.FORM, error.sentence, {"duplicate_of": error.sentence})
        ) from error
    if not other.open:
        raise ActionRefused(_closed_already(number))
    return other


def _unwritable(error: NotCanonical) -> Refusal:
    return Refusal(
        RefusalKind.FORM,
        Text(
            "The form contains a value that cannot be stored ({error}); fill in that field again.",
            error=error,
        ),
    )


def _closed_already(number: str) -> Refusal:
    sentence = Text(
        "Incident {number} is closed, so this is no duplicate of it; choose an open one.",
        number=number,
    )
    return Refusal(RefusalKind.FORM, sentence, {"duplicate_of": sentence})
