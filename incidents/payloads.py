"""The JSON each kind of event carries, built in one place and folded in ``workflow``.

Whoever writes an event calls the function named after its kind and puts the result into
``Event.payload``. Who acted and when stand in the event itself (``actor``, ``at``), never
here, except where the source's own time differs (a reading taken before it was written).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from incidents.model import Assignment, Decision, Outcome, Person
from probes import Evidence, Finding, Severity, Text

Payload = dict[str, Any]


def opened(
    finding: Finding,
    *,
    procedure: str,
    calendar: str,
    first_step: int,
    previous: str = "",
) -> Payload:
    """OPENED by a probe. ``procedure`` and ``calendar`` are content hashes; ``previous`` is
    the number of the closed incident with the same fingerprint."""
    raise NotImplementedError


def reported(
    report: Mapping[str, Any],
    *,
    source: str,
    title: Text,
    severity: Severity,
    procedure: str,
    calendar: str,
    first_step: int,
    family: str = "report",
    target: str = "",
    cluster: str = "",
    application: str = "",
    agency: str = "",
    previous: str = "",
) -> Payload:
    """OPENED by a person, an agency or a webhook (``source``: person | agency | alertmanager).

    ``report`` is the Form Laporan as it came in."""
    raise NotImplementedError


def attached(finding: Finding, *, root: bool, because: Text = Text("", "")) -> Payload:
    """ATTACHED: another finding joined; as ``root`` it becomes the incident's cause and title."""
    raise NotImplementedError


def observed(finding: Finding) -> Payload:
    """OBSERVED: an attached finding changed severity, or came back after clearing."""
    raise NotImplementedError


def cleared(finding: Finding) -> Payload:
    """CLEARED: an attached finding is clear."""
    raise NotImplementedError


def claimed(step: int, person: Person, assignment: Assignment) -> Payload:
    """CLAIMED: the person whose turn it is says: I am on it."""
    raise NotImplementedError


def signed(
    step: int,
    decision: Decision,
    form: Mapping[str, Any],
    *,
    person: Person,
    assignment: Assignment,
    document_id: str,
    red: bool,
) -> Payload:
    """SIGNED: the signer's name, office and basis are frozen as they are today; ``red`` is
    what the probes said at that moment."""
    raise NotImplementedError


def dismissed(
    step: int,
    outcome: Outcome,
    reason: str,
    *,
    person: Person,
    assignment: Assignment,
    document_id: str,
    duplicate_of: str = "",
) -> Payload:
    """DISMISSED: not a disruption, or a duplicate of ``duplicate_of``; folded as the
    "Tidak" of its step with ``outcome``, ``reason`` and ``duplicate_of`` as the form."""
    raise NotImplementedError


def noted(text: str) -> Payload:
    """NOTED: a remark."""
    raise NotImplementedError


def dispensed(step: int, username: str, reason: str) -> Payload:
    """DISPENSED: that person may sign that step although the separation of duties forbids."""
    raise NotImplementedError


def reminded(step: int, attempt: int, deadline: datetime) -> Payload:
    """REMINDED: 75 % passed at ``deadline``. Step 0 is the overall standard."""
    raise NotImplementedError


def breached(step: int, attempt: int, deadline: datetime) -> Payload:
    """BREACHED: the standard ran out at ``deadline``. Step 0 is the overall standard."""
    raise NotImplementedError


def evidence(taken: Evidence) -> Payload:
    """Evidence as JSON: ``taken_at`` (ISO) and ``exhibits``, each with ``title`` {id, en},
    ``columns``, ``rows``, ``note``."""
    raise NotImplementedError
