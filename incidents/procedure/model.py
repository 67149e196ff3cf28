"""What a procedure is made of: roles, steps, forms, standards, documents. Plain values.

Read them from ``incidents.procedure.load``, which also loads them. Source: SOP section G, READING
5.1-5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from incidents.model import Decision, Outcome
from probes import Text


class FieldKind(StrEnum):
    """What a form field holds, and the JSON type of its value."""

    TEXT = "text"  # one line: string
    PARAGRAPH = "paragraph"  # several lines: string
    CHOICE = "choice"  # one of ``options``: string
    YESNO = "yesno"  # true | false
    DATETIME = "datetime"  # string, ISO 8601 with offset
    PEOPLE = "people"  # list of usernames
    NUMBER = "number"  # finite number


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a choice."""

    value: str
    label: Text


@dataclass(frozen=True, slots=True)
class Condition:
    """When a field that is optional becomes required; every part that is given must hold."""

    decision: Decision | None = None
    red: bool | None = None  # a probe still says there is trouble
    field: str = ""  # the answer of another field of the same form …
    equals: str | bool | None = None  # … is this


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a step's form."""

    name: str
    label: Text
    kind: FieldKind
    required: bool = False
    options: tuple[Option, ...] = ()
    help: Text = Text("")
    prefill: str = ""  # which fact of the incident the page fills in first: PREFILLS
    required_when: Condition | None = None
    role: str = ""  # kind people: the role those named hold


PREFILLS = frozenset(
    {
        "title",
        "target",
        "application",
        "agency",
        "opened_at",
        "source",
        "reporter",
        "evidence",
        "findings",
        "verdict",
        "now",
        "resolution",
    }
)
"""What a form may be filled with from the record."""


@dataclass(frozen=True, slots=True)
class Standard:
    """How long something may take in working time.

    Exactly one of ``minutes`` and ``days`` is given; a working day is as long as the
    calendar says (7.5 h). ``target_days`` is wished for and never a breach (READING 5.2).
    """

    minutes: int = 0
    days: float = 0.0
    target_days: float | None = None

    def seconds(self, day_seconds: float) -> float:
        """The limit in working seconds."""
        return self.minutes * 60.0 + self.days * day_seconds

    def target_seconds(self, day_seconds: float) -> float | None:
        """The target in working seconds; None where only a limit is set."""
        return None if self.target_days is None else self.target_days * day_seconds


@dataclass(frozen=True, slots=True)
class Role:
    """A part a person plays, by the abbreviation people use."""

    key: str
    title: Text


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of document a sign-off leaves."""

    kind: str
    title: Text


@dataclass(frozen=True, slots=True)
class Output:
    """Which document a decision leaves, and as which revision of it."""

    kind: str
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the procedure."""

    number: int
    key: str
    title: Text
    role: str  # who signs
    input: Text  # kelengkapan
    standard: Standard
    form: tuple[Field, ...]
    outputs: Mapping[Decision, Output]
    next: int | None  # after approve; None: the end
    return_to: int | None = None  # after return; None: the step knows no "Tidak"
    with_role: str = ""  # takes part without signing
    question: Text = Text("")  # what Ya / Tidak answers, at decision steps
    not_signed_by: tuple[int, ...] = ()
    """Whoever signed any visit of these steps may not sign this one (READING 5.4)."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What may be decided here."""
        if self.return_to is None:
            return (Decision.APPROVE,)
        return (Decision.APPROVE, Decision.RETURN)

    def field(self, name: str) -> Field | None:
        """The form field of that name."""
        return next((f for f in self.form if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Where and how an incident may end as "not a disruption" or "duplicate"."""

    step: int
    outcomes: tuple[Outcome, ...]
    document: str


@dataclass(frozen=True, slots=True)
class Procedure:
    """A whole procedure. ``content`` is its canonical JSON, ``hash`` the SHA-256 of that."""

    name: str
    title: Text
    roles: tuple[Role, ...]
    steps: tuple[Step, ...]  # by number
    overall: Standard
    documents: Mapping[str, Document]  # by kind
    dismissal: Dismissal | None
    dispenser: str  # the role that grants dispensations
    informed: str  # the role told at the reminder and at the breach of the overall limit
    remind_ratio: float  # of a standard, 0 < ratio < 1
    content: str
    hash: str

    @property
    def first(self) -> int:
        """The step an incident opens in."""
        return self.steps[0].number

    def step(self, number: int) -> Step:
        """The step of that number; KeyError when there is none."""
        for step in self.steps:
            if step.number == number:
                return step
        raise KeyError(number)

    def role(self, key: str) -> Role:
        """The role of that abbreviation; KeyError when there is none."""
        for role in self.roles:
            if role.key == key:
                return role
        raise KeyError(key)

    def output(self, step: int, decision: Decision) -> tuple[Document, int]:
        """The document a decision at a step leaves, and its revision."""
        output = self.step(step).outputs[decision]
        return self.documents[output.kind], output.revision
