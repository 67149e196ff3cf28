"""Actions of a person on an incident, and the refusal when one is not allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from incidents.model import JSON, Decision, Outcome, Refused
from probes import Text


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign the waiting step. ``version`` is that of the incident the person saw."""

    step: int
    decision: Decision
    form: JSON
    version: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim the waiting step ("I am on it")."""

    version: int


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Close as not a disruption, or as a duplicate of another incident."""

    outcome: Outcome
    reason: str
    version: int
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True)
class AddNote:
    """Add a note to the timeline."""

    text: str


@dataclass(frozen=True, slots=True)
class Dispense:
    """Let one person sign one step although the separation of duties forbids it."""

    step: int
    username: str
    reason: str
    version: int


Action = Sign | Claim | Dismiss | AddNote | Dispense


class RefusalKind(StrEnum):
    """Why an action is refused; the API chooses its status code by it."""

    CLOSED = "closed"
    STALE = "stale"  # wrong step, or somebody acted since the person read
    ROLE = "role"
    SEPARATION = "separation"
    FORM = "form"  # incomplete or malformed; ``fields`` says which
    DECISION = "decision"  # not allowed at this step
    RED = "red"  # a probe still reports the fault, and no reason is given


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused action: the kind, the sentence, and for forms the sentence per field."""

    kind: RefusalKind
    reason: Text
    fields: Mapping[str, Text] = field(default_factory=dict)


class ActionRefused(Refused):
    """``Refused`` with its kind and, for forms, a sentence per field: what the desk raises."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
