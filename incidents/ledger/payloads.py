"""Builds the JSON payload of each kind of event; ``incidents.workflow`` reads it.

Each function is named after its kind; its result goes into ``Event.payload``. Actor and time are in
the event itself (``actor``, ``at``), except where the source's own time differs (a reading taken
before it was written).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents.model import Assignment, Decision, Outcome, Person
from probes import Finding, Severity, Text
from probes.words import finding_json
from probes.words.finding_json import moment, text
from probes.words.finding_json import severity as level

Payload = dict[str, Any]

CLOCK_BEHIND = "clock_behind_seconds"
"""Key of any event: how far the host's clock stood before the ledger's last event."""


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
    return {
        "source": "probe",
        "title": text(finding.name),
        "severity": level(finding.severity),
        "family": finding.family,
        "target": finding.target,
        "cluster": finding.about.get("cluster", ""),
        "application": finding.about.get("application", ""),
        "agency": finding.about.get("agency", ""),
        "procedure": procedure,
        "calendar": calendar,
        "step": first_step,
        "previous": previous,
        "trouble": _trouble(finding, root=True),
    }


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
    return {
        "source": source,
        "title": text(title),
        "severity": level(severity),
        "family": family,
        "target": target,
        "cluster": cluster,
        "application": application,
        "agency": agency,
        "procedure": procedure,
        "calendar": calendar,
        "step": first_step,
        "previous": previous,
        "report": dict(report),
    }


def attached(finding: Finding, *, root: bool, because: Text = Text("")) -> Payload:
    """ATTACHED: another finding joined; as ``root`` it becomes the incident's cause and title."""
    return {"trouble": _trouble(finding, root=root), "because": text(because)}


def observed(finding: Finding) -> Payload:
    """OBSERVED: an attached finding changed severity, returned after clearing, or fails in a way
    that its cause does not explain.
    """
    return {"trouble": _trouble(finding, root=False)}


def cleared(finding: Finding, *, moved: bool = False) -> Payload:
    """CLEARED: an attached finding is clear; ``last``: the text of its last bad reading, if known.

    ``moved``: it is not clear, but continues in another incident.
    """
    found: Payload = {"fingerprint": str(finding.fingerprint), "seen_at": moment(finding.at)}
    if moved:
        found["moved"] = True
    if finding.seen_last.en:
        found["last"] = text(finding.seen_last)
    return found


def claimed(step: int, person: Person, assignment: Assignment) -> Payload:
    """CLAIMED: the person whose turn it is says: I am on it."""
    return {"step": step, **_signer(person, assignment)}


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
    """SIGNED: the signer's name, position and basis as they are today; ``red`` is what the probes
    report at that instant.
    """
    return {
        "step": step,
        "decision": str(decision),
        "form": dict(form),
        "document": document_id,
        "red": red,
        **_signer(person, assignment),
    }


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
    """DISMISSED: not a disruption, or a duplicate of ``duplicate_of``; read as the "Tidak" of its
    step with ``outcome``, ``reason`` and ``duplicate_of`` as the form.
    """
    return {
        "step": step,
        "outcome": str(outcome),
        "reason": reason,
        "duplicate_of": duplicate_of,
        "document": document_id,
        **_signer(person, assignment),
    }


def noted(text: str) -> Payload:
    """NOTED: a remark."""
    return {"text": text}


def clock_behind(payload: Mapping[str, Any], behind: timedelta) -> Payload:
    """Any payload, written while the host's clock stood before the ledger's last event."""
    return {**payload, CLOCK_BEHIND: int(behind.total_seconds())}


def dispensed(step: int, username: str, reason: str) -> Payload:
    """DISPENSED: that person may sign that step although the separation of duties forbids."""
    return {"step": step, "username": username, "reason": reason}


def reminded(step: int, attempt: int, deadline: datetime) -> Payload:
    """REMINDED: 75 % had passed at ``deadline``. Step 0 is the overall standard."""
    return {"step": step, "attempt": attempt, "deadline": moment(deadline)}


def breached(step: int, attempt: int, deadline: datetime) -> Payload:
    """BREACHED: the standard was exceeded at ``deadline``. Step 0 is the overall standard."""
    return {"step": step, "attempt": attempt, "deadline": moment(deadline)}


_OF_THE_WIRE = frozenset({"opens", "last"})
"""What a finding on its way to the desk says, and a record of it does not."""


def _trouble(finding: Finding, *, root: bool) -> Payload:
    said = finding_json.to_json(finding)
    return {key: value for key, value in said.items() if key not in _OF_THE_WIRE} | {"root": root}


def _signer(person: Person, assignment: Assignment) -> Payload:
    return {
        "name": person.name,
        "nip": person.nip,
        "position": person.position,
        "role": assignment.role,
        "basis": str(assignment.basis),
        "letter_number": assignment.letter_number,
    }
