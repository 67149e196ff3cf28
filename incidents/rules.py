"""Whether a person may do a thing to an incident now; if not, why, in one sentence.

Checked in this order, the first that fails speaks: closed; wrong step or stale version;
wrong role today; separation of duties; form incomplete; unknown field; decision not allowed;
"selesai" while a probe is red without a reason. Source: READING 5.2, 5.4; DESIGN section 7.
Import from ``incidents.workflow``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from incidents.model import JSON, Assignment, Decision, Incident, Outcome, Signer
from incidents.procedure import Procedure, Step
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
    """Say "I am on it" for the waiting step."""

    version: int


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Close as not a disruption, or as a duplicate of another incident."""

    outcome: Outcome
    reason: str
    version: int
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Add a remark."""

    text: str


@dataclass(frozen=True, slots=True)
class Dispense:
    """Let one person sign one step although the separation of duties forbids it."""

    step: int
    username: str
    reason: str
    version: int


Action = Sign | Claim | Dismiss | Note | Dispense


class RefusalKind(StrEnum):
    """Why an action is refused; the interface chooses its status code by it."""

    CLOSED = "closed"
    STALE = "stale"  # wrong step, or somebody acted since the person read
    ROLE = "role"
    SEPARATION = "separation"
    FORM = "form"  # incomplete or malformed; ``fields`` says which
    DECISION = "decision"  # not allowed at this step
    RED = "red"  # "selesai" while a probe is red, without a reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused action: the kind, the sentence, and for forms the sentence per field."""

    kind: RefusalKind
    reason: Text
    fields: Mapping[str, Text] = field(default_factory=dict)


def objection(
    incident: Incident,
    action: Action,
    signer: Signer,
    procedure: Procedure,
    now: datetime,
    zone: ZoneInfo,
    holders: Mapping[str, Collection[str]] | None = None,
) -> Refusal | None:
    """Why ``signer`` may not do ``action`` now; None when they may.

    ``signer.assignments`` may hold past and future assignments: which of them is valid is
    judged here, on the date of ``now`` in ``zone``. ``holders`` (role -> usernames valid
    today) lets people fields be checked against it.
    """
    raise NotImplementedError


def refusal(
    incident: Incident,
    action: Action,
    signer: Signer,
    procedure: Procedure,
    now: datetime,
    zone: ZoneInfo,
    holders: Mapping[str, Collection[str]] | None = None,
) -> Text | None:
    """The sentence of ``objection``; None when the action is allowed."""
    refused = objection(incident, action, signer, procedure, now, zone, holders)
    return None if refused is None else refused.reason


def held(signer: Signer, role: str, on: date) -> Assignment | None:
    """The assignment by which ``signer`` holds ``role`` on that day, the definitive one first."""
    raise NotImplementedError


def field_problems(
    step: Step,
    decision: Decision,
    form: JSON,
    incident: Incident,
    holders: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Text]:
    """What is wrong with a form, by field name; empty when nothing is."""
    raise NotImplementedError


def normalise(step: Step, posted: Mapping[str, Any]) -> dict[str, Any]:
    """A posted HTML form (strings, lists of strings) as the JSON ``Sign.form`` holds.

    Trims, drops empty answers, turns "yes"/"no" and numbers into their JSON types. What
    cannot be turned is left as it is, for ``field_problems`` to name.
    """
    raise NotImplementedError
