"""What the desk answers when it is asked: rows for lists, lines for a timeline.

Plain values, ready to show; nobody who reads them needs the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.model import JSON, EventKind, Outcome, Refused
from incidents.workflow.permissions import Refusal
from probes import Severity, Text


class Change(StrEnum):
    """What a stated finding did to the record."""

    OPENED = "opened"
    ATTACHED = "attached"
    OBSERVED = "observed"
    CLEARED = "cleared"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reported:
    """The answer to ``Desk.report``; ``number`` is empty when no incident is concerned."""

    change: Change
    number: str = ""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident as a list shows it."""

    number: str
    open: bool
    version: int
    step: int
    attempt: int
    step_title: Text
    role: str  # whose turn; "" once closed
    severity: Severity  # the worst it ever was
    present: Severity  # the worst that is stated now; as reported where no probe is behind it
    red: bool  # whether a probe still says so
    title: Text
    source: str
    target: str
    cluster: str
    application: str
    agency: str
    family: str
    opened_at: datetime
    entered_at: datetime  # the present step
    claimed_by: str
    due_at: datetime | None  # of the present step
    overall_due_at: datetime | None
    closed_at: datetime | None
    outcome: Outcome | None
    previous: str
    position: int  # ledger sequence of the opening; the key to page by

    def late(self, now: datetime) -> bool:
        """Whether the present step or the whole is past its standard."""
        return self.open and any(
            due is not None and due < now for due in (self.due_at, self.overall_due_at)
        )


@dataclass(frozen=True, slots=True)
class Inbox:
    """What one person sees first. The three lists do not overlap."""

    mine: tuple[
        IncidentRow, ...
    ]  # waits for a role this person holds today; the earliest due first
    late: tuple[IncidentRow, ...]  # waits for somebody else and is past a standard
    others: tuple[IncidentRow, ...]  # every other open incident


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search; ``after`` goes into the next call, None: this was the last."""

    rows: tuple[IncidentRow, ...]
    after: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a timeline, ready to show."""

    sequence: int
    at: datetime
    kind: EventKind
    actor: str  # username, or SYSTEM
    actor_name: str  # as printed; "Sigap" for the system
    text: Text
    detail: JSON  # the event's own payload
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the ledger: what a letter prints and a metric exports."""

    sequence: int  # 0: nothing written yet
    hash: str


class NoSuchIncident(LookupError):
    """Nobody opened an incident of that number; ``sentence`` says so to the reader."""

    def __init__(self, number: str) -> None:
        self.sentence = Text(
            "Insiden {number} tidak ada; periksa nomornya.",
            "There is no incident {number}; check the number.",
        ).format(number=number)
        super().__init__(self.sentence.en)


class NoSuchDocument(LookupError):
    """The incident has no document of that id."""

    def __init__(self, number: str, id: str) -> None:
        self.sentence = Text(
            "Insiden {number} tidak mempunyai dokumen {id}.",
            "Incident {number} has no document {id}.",
        ).format(number=number, id=id)
        super().__init__(self.sentence.en)


class ActionRefused(Refused):
    """``Refused`` with its kind and, for forms, a sentence per field: what the desk raises."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
