"""Incidents as rows of a list; plain values that need no store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidents.model import Outcome
from probes import Severity, Text


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
    present: Severity  # the worst severity now; for a manual report the one it was given
    red: bool  # whether a probe still reports it
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
    late: tuple[IncidentRow, ...]  # waits for another person and is past a standard
    others: tuple[IncidentRow, ...]  # every other open incident


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search; ``after`` goes into the next call, None: this was the last."""

    rows: tuple[IncidentRow, ...]
    after: int | None


class NoSuchIncident(LookupError):
    """There is no incident with that number; ``sentence`` says so to the reader."""

    def __init__(self, number: str) -> None:
        self.sentence = Text("There is no incident {number}; check the number.", number=number)
        super().__init__(self.sentence.en)
