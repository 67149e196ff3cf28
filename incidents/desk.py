"""The desk: the one door through which incidents change.

Every change is one transaction: load, decide, append events, write the summary row and the outbox.
A refused action raises ``Refused`` with the sentence that greys the page's button; a store that
does not answer raises ``StoreUnavailable`` and has changed nothing. Safe to call from any thread.
"""

from __future__ import annotations

from datetime import datetime

from incidents import sla, workflow
from incidents.calendar import Calendar
from incidents.documents.model import Document, Office
from incidents.model import JSON, Event, Incident, Signer
from incidents.procedure import Procedure
from incidents.store import Store
from incidents.views import Head, Inbox, IncidentRow, Line, Page, Reported
from probes import Finding, Text


class Desk:
    """Reads and changes incidents; ``now`` is always an aware UTC instant of the caller."""

    def __init__(
        self, store: Store, procedure: Procedure, calendar: Calendar, office: Office | None = None
    ) -> None:
        """New incidents open under ``procedure`` and ``calendar``; open ones keep their own."""
        raise NotImplementedError

    # Changes. Each raises Refused (a person's action) or StoreUnavailable.

    def report(self, finding: Finding, now: datetime) -> Reported:
        """State the present verdict; idempotent, so it may be stated at every reading."""
        raise NotImplementedError

    def report_manually(
        self, form: JSON, signer: Signer, now: datetime, source: str = "person"
    ) -> Incident:
        """Open an incident from a person's Form Laporan.

        ``form`` keys: ``title`` (required), ``description``, ``target``, ``application``,
        ``agency``, ``reporter``, ``contact``, ``occurred_at`` (ISO 8601), ``severity`` (warning |
        critical, default critical). ``source``: person | agency | alertmanager.
        """
        raise NotImplementedError

    def claim(self, number: str, action: workflow.Claim, signer: Signer, now: datetime) -> Incident:
        """Say: I am on it. Stops no clock."""
        raise NotImplementedError

    def sign(self, number: str, action: workflow.Sign, signer: Signer, now: datetime) -> Incident:
        """Approve ("Ya") or return ("Tidak") the present step; leaves a document."""
        raise NotImplementedError

    def dismiss(
        self, number: str, action: workflow.Dismiss, signer: Signer, now: datetime
    ) -> Incident:
        """Close at step 2 as not a disruption, or as a duplicate of an open incident."""
        raise NotImplementedError

    def note(self, number: str, action: workflow.Note, signer: Signer, now: datetime) -> Incident:
        """Write a remark into the timeline; does not change the version."""
        raise NotImplementedError

    def dispense(
        self, number: str, action: workflow.Dispense, signer: Signer, now: datetime
    ) -> Incident:
        """KD's recorded dispensation from the separation of duties."""
        raise NotImplementedError

    def sweep(self, now: datetime) -> int:
        """Record every reminder (75 %) and breach that has come due, once, stamped with its
        deadline; returns how many. Call it every half minute."""
        raise NotImplementedError

    # Reads.

    def refusal(
        self, number: str, action: workflow.Action, signer: Signer, now: datetime
    ) -> Text | None:
        """Why this person may not do this now, or None: the same rule that guards the change."""
        raise NotImplementedError

    def incident(self, number: str) -> Incident:
        """The incident as its events add up; raises ``NoSuchIncident``."""
        raise NotImplementedError

    def procedure(self, number: str) -> Procedure:
        """The procedure this incident opened under."""
        raise NotImplementedError

    def calendar(self, number: str) -> Calendar:
        """The calendar this incident opened under."""
        raise NotImplementedError

    def open_incidents(self) -> tuple[Incident, ...]:
        """Every open incident, the oldest first."""
        raise NotImplementedError

    def inbox(self, signer: Signer, now: datetime) -> Inbox:
        """What waits for this person, what runs late elsewhere, and the other open incidents."""
        raise NotImplementedError

    def search(
        self, state: str = "all", text: str = "", after: int | None = None, limit: int = 50
    ) -> Page:
        """Incidents newest first; ``state``: open | closed | all; ``text``: every word must occur
        in number, title, target, cluster, application or agency; ``after``: ``Page.after``."""
        raise NotImplementedError

    def row(self, number: str) -> IncidentRow:
        """One incident as a list shows it; raises ``NoSuchIncident``."""
        raise NotImplementedError

    def events(self, number: str) -> tuple[Event, ...]:
        """The incident's events in ledger order."""
        raise NotImplementedError

    def timeline(self, number: str) -> tuple[Line, ...]:
        """The incident's events as lines to show, the oldest first."""
        raise NotImplementedError

    def clocks(self, number: str, now: datetime) -> sla.Clocks:
        """Step and overall clocks under the incident's own procedure and calendar."""
        raise NotImplementedError

    def documents(self, number: str) -> tuple[Document, ...]:
        """The incident's documents, the oldest first."""
        raise NotImplementedError

    def document(self, number: str, id: str) -> Document:
        """One document; raises ``NoSuchDocument``."""
        raise NotImplementedError

    def ledger_head(self) -> Head:
        """The end of the ledger."""
        raise NotImplementedError
