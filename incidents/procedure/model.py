"""Data types of a procedure: roles, steps, forms, standards, documents.

``incidents.procedure.load`` reads them from YAML. Source: SOP section G.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from incidents.model import Basis, Decision, Outcome
from incidents.procedure.letter import Letter
from probes import Text

TURN = "turn"
"""In a list of informed roles: the role whose turn it is to sign."""


class Right(StrEnum):
    """What a role may do besides reading and writing notes."""

    SIGN = "sign"
    GRANT_DISPENSATIONS = "grant_dispensations"
    ISSUE_LETTERS = "issue_letters"  # of assignment, by which people hold roles
    SEE_PEOPLE = "see_people"  # who holds which role


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
class Answer:
    """A field of a step's form, as other parts of the procedure name it: ``repair.action``."""

    step: str  # the step's key
    field: str


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
    carries: tuple[Answer, ...] = ()  # or: the newest of these answers of earlier steps
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
    }
)
"""What a form may be filled with from the record."""


@dataclass(frozen=True, slots=True)
class Standard:
    """How long something may take in working time.

    Exactly one of ``minutes`` and ``days`` is given; the calendar sets the length of a working day
    (7.5 h). Exceeding ``target_days`` is not a breach.
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
    rights: frozenset[Right] = frozenset({Right.SIGN})
    acting: tuple[Basis, ...] = (Basis.PLT, Basis.PLH)
    """The bases on which a person other than its holder may act in it."""


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document a sign-off leaves, and what it prints besides the signed form."""

    kind: str
    title: Text
    evidence: bool = False  # what the probes froze at the onset
    history: bool = False  # every signature so far
    answers_of: tuple[int, ...] = ()  # the forms of these steps, as signed


@dataclass(frozen=True, slots=True)
class Reminder:
    """Who is told when a share of a time limit has passed, and when all of it has."""

    share: float  # 0 < share < 1
    reminded: tuple[str, ...]  # roles, or TURN
    breached: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Informed:
    """Roles that are informed without signing."""

    step: Reminder
    overall: Reminder
    closed: tuple[str, ...]


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
    """Whoever signed any visit of these steps may not sign this one (decision 20)."""
    reason: str = ""  # the field that says why the step is returned

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
    documents: Mapping[str, DocumentKind]
    dismissal: Dismissal | None
    informed: Informed
    letter: Letter | None
    office: Mapping[str, str]  # of the letterhead, where agent.yaml leaves it open
    number_prefix: str  # of incident numbers: INC gives INC-2026-0001
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

    def with_right(self, right: Right) -> tuple[Role, ...]:
        """The roles that have a right."""
        return tuple(role for role in self.roles if right in role.rights)

    @property
    def dispenser(self) -> Role | None:
        """The role that grants dispensations from the separation of duties, if there is one."""
        return next(iter(self.with_right(Right.GRANT_DISPENSATIONS)), None)

    def example_number(self, year: int) -> str:
        """What the number of an incident looks like."""
        return number_of(self.number_prefix, year, 1)

    def output(self, step: int, decision: Decision) -> tuple[DocumentKind, int]:
        """The document a decision at a step leaves, and its revision."""
        output = self.step(step).outputs[decision]
        return self.documents[output.kind], output.revision


def number_of(prefix: str, year: int, count: int) -> str:
    """The number of the incident that is the ``count``-th of a year."""
    return f"{prefix}-{year}-{count:04d}"
