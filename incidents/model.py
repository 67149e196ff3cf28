"""Data types of the response: people, events, and incidents.

Plain values. An incident is computed from its events only, by ``incidents.workflow.fold``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from probes import Severity, Text

JSON = Mapping[str, Any]
"""A JSON object: strings, finite numbers, booleans, None, lists and objects of these."""

SYSTEM = "sigap"
"""The actor of events that the daemon writes itself."""


class Refused(Exception):
    """An action that is not allowed; ``reason`` is the sentence the person reads."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason


class Basis(StrEnum):
    """How a person holds a role: definitive, Plt. (vacant post) or Plh. (absent holder).

    Source: SOP, Kualifikasi Pelaksana 1 and section F 1 (surat tugas).
    """

    DEFINITIVE = "definitif"
    PLT = "plt"  # pelaksana tugas: the post is vacant
    PLH = "plh"  # pelaksana harian: the holder is away


@dataclass(frozen=True, slots=True)
class Person:
    """An account that can sign in."""

    username: str
    name: str  # with titles, as printed on letters
    nip: str = ""
    position: str = ""  # jabatan, printed on documents
    rank: str = ""  # pangkat/golongan
    email: str = ""
    language: str = "id"  # id | en
    active: bool = True


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role held by a person over a period, by a letter of assignment."""

    username: str
    role: str  # as the procedure calls it
    basis: Basis = Basis.DEFINITIVE
    letter_number: str = ""  # number of the surat tugas
    valid_from: date | None = None  # inclusive, in the calendar's zone
    valid_to: date | None = None  # inclusive; None: open-ended

    def valid(self, on: date) -> bool:
        """Whether the role is held on that day."""
        begun = self.valid_from is None or self.valid_from <= on
        return begun and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Signer:
    """A person with the roles that are valid today."""

    person: Person
    assignments: tuple[Assignment, ...]

    def holds(self, role: str) -> Assignment | None:
        """The assignment by which this person holds ``role`` today, the definitive one first."""
        held = [a for a in self.assignments if a.role == role]
        held.sort(key=lambda a: a.basis is not Basis.DEFINITIVE)
        return held[0] if held else None


class EventKind(StrEnum):
    """Kinds of events in an incident's record."""

    OPENED = "opened"  # by a finding, a person or a webhook
    ATTACHED = "attached"  # another finding (a symptom, or the root of earlier ones) joined
    OBSERVED = (
        "observed"  # an attached finding changed severity or its way of failing, or came back
    )
    CLEARED = "cleared"  # an attached finding is clear; this signs no step
    CLAIMED = "claimed"  # the person whose turn it is says: I am on it
    SIGNED = "signed"  # a step approved ("Ya") or returned ("Tidak"), with its form
    DISMISSED = "dismissed"  # not a disruption, or a duplicate
    NOTED = "noted"  # a remark, also "waiting for …"
    DISPENSED = "dispensed"  # a recorded dispensation from the separation of duties
    REMINDED = "reminded"  # 75 % of a standard passed
    BREACHED = "breached"  # a standard passed; stamped with the deadline


class Decision(StrEnum):
    APPROVE = "approve"
    RETURN = "return"


class Outcome(StrEnum):
    """How an incident ended."""

    RESOLVED = "resolved"  # the last step approved
    NOT_A_DISRUPTION = "not_a_disruption"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the ledger.

    ``sequence`` counts over the whole ledger; ``hash`` is SHA-256 over the stored canonical
    bytes, which contain the hash of the event before.
    """

    sequence: int
    incident: str
    kind: EventKind
    at: datetime  # aware, UTC
    actor: str  # a username, or SYSTEM
    payload: JSON
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A finding as this incident knows it (folded from opened/attached/observed/cleared)."""

    fingerprint: str
    target: str
    family: str
    title: Text  # with the figures last stated; once cleared, those of the last bad reading
    hint: Text
    severity: Severity  # as last stated; CLEAR once cleared
    root: bool  # the cause; the others are symptoms
    first_at: datetime
    last_at: datetime
    cleared_at: datetime | None = None
    moved: bool = False  # not clear, but continued in another incident since ``cleared_at``
    raised_count: int = 1  # flaps show as more than one
    green_seconds: float = 0.0  # summed over its cleared spells that ended
    evidence: JSON | None = None  # the newest that was taken
    earlier: tuple[JSON, ...] = ()  # evidence of the onsets before, the newest first
    runbook: Text = Text("")
    about: Mapping[str, str] = field(default_factory=dict)
    """What the finding said of its target (cluster, role, host …); correlation reads it."""
    cause: str = ""  # which of several reasons: the kind of failure of a server that is down
    headline: Text = Text("")  # the title without figures; empty in events before there was one

    @property
    def name(self) -> Text:
        """The finding's name, which stays the same while its figures change."""
        return self.headline if self.headline.en else self.title


@dataclass(frozen=True, slots=True)
class SignOff:
    """A person's decision on a step."""

    username: str
    name: str
    nip: str
    position: str
    role: str
    basis: Basis
    letter_number: str
    decision: Decision
    at: datetime
    form: JSON
    document_id: str  # of the document this sign-off left
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay at a step; a return starts a new visit with its full standard."""

    step: int
    attempt: int  # 1 for the first visit of this step
    entered_at: datetime
    claimed_by: str = ""
    claimed_at: datetime | None = None
    signoff: SignOff | None = None
    reminded_at: datetime | None = None
    breached_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody noted in the timeline."""

    at: datetime
    username: str
    text: str


@dataclass(frozen=True, slots=True)
class Dispensation:
    """One person may sign one step although the separation of duties forbids it."""

    at: datetime
    granted_by: str
    username: str
    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One run of the procedure."""

    number: str  # prefix, year, count
    version: int  # grows by one with every claim, sign-off, dismissal and dispensation
    opened_at: datetime
    source: str  # probe | person | agency | alertmanager
    procedure: str  # content hash of the procedure it opened under
    calendar: str  # content hash of the calendar it opened under
    title: Text  # the name of its root (cause and object), which no figure makes untrue
    severity: Severity  # the worst its troubles ever had
    family: str
    target: str
    cluster: str
    application: str
    agency: str
    troubles: tuple[Trouble, ...]
    visits: tuple[Visit, ...]
    notes: tuple[Remark, ...] = ()
    dispensations: tuple[Dispensation, ...] = ()
    report: JSON = field(default_factory=dict)  # what a person or webhook reported, if not a probe
    outcome: Outcome | None = None
    closed_at: datetime | None = None
    previous: str = ""  # number of the closed incident with the same fingerprint
    overall_reminded_at: datetime | None = None
    overall_breached_at: datetime | None = None
    last_sequence: int = 0

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def visit(self) -> Visit | None:
        """The visit that waits for a signature; None once closed."""
        return self.visits[-1] if self.open and self.visits else None

    @property
    def step(self) -> int:
        """The step that waits; the last signed one once closed."""
        return self.visits[-1].step

    @property
    def present(self) -> Severity:
        """The worst severity stated now; for a manual report, the severity it was given."""
        return max((trouble.severity for trouble in self.troubles), default=self.severity)

    @property
    def red(self) -> bool:
        """Whether any probe still reports it."""
        return any(trouble.severity > Severity.CLEAR for trouble in self.troubles)


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
