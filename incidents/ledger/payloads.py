"""Builds the JSON payload of each kind of event; ``incidents.workflow`` reads it.

Each function is named after its kind; its result goes into ``Event.payload``. Actor and time are in
the event itself (``actor``, ``at``), except where the source's own time differs (a reading taken
before it was written).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from incidents.model import Assignment, Decision, Outcome, Person
from probes import Evidence, Finding, Severity, Text, Words

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
    return {
        "source": "probe",
        "title": _text(headline(finding)),
        "severity": _severity(finding.severity),
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
        "title": _text(title),
        "severity": _severity(severity),
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


def attached(finding: Finding, *, root: bool, because: Text = Text("", "")) -> Payload:
    """ATTACHED: another finding joined; as ``root`` it becomes the incident's cause and title."""
    return {"trouble": _trouble(finding, root=root), "because": _text(because)}


def observed(finding: Finding) -> Payload:
    """OBSERVED: an attached finding changed severity, returned after clearing, or fails in a way
    that its cause does not explain.
    """
    return {"trouble": _trouble(finding, root=False)}


def cleared(finding: Finding, *, moved: bool = False) -> Payload:
    """CLEARED: an attached finding is clear; ``last``: the text of its last bad reading, if known.

    ``moved``: it is not clear, but continues in another incident.
    """
    found: Payload = {"fingerprint": str(finding.fingerprint), "seen_at": _moment(finding.at)}
    if moved:
        found["moved"] = True
    if finding.seen_last.en:
        found["last"] = _text(finding.seen_last)
    return found


def headline(finding: Finding) -> Text:
    """The finding's name without figures, or its title."""
    return finding.headline if finding.headline.en else finding.title


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


def dispensed(step: int, username: str, reason: str) -> Payload:
    """DISPENSED: that person may sign that step although the separation of duties forbids."""
    return {"step": step, "username": username, "reason": reason}


def reminded(step: int, attempt: int, deadline: datetime) -> Payload:
    """REMINDED: 75 % had passed at ``deadline``. Step 0 is the overall standard."""
    return {"step": step, "attempt": attempt, "deadline": _moment(deadline)}


def breached(step: int, attempt: int, deadline: datetime) -> Payload:
    """BREACHED: the standard was exceeded at ``deadline``. Step 0 is the overall standard."""
    return {"step": step, "attempt": attempt, "deadline": _moment(deadline)}


def evidence(taken: Evidence) -> Payload:
    """Evidence as JSON: ``taken_at`` (ISO) and ``exhibits``, each with ``title`` {id, en},
    ``columns``, ``rows``, ``note``. A cell and a note are {id, en} if the words are Sigap's own and
    differ, else a string; older evidence has strings only (decision 15).
    """
    return {
        "taken_at": _moment(taken.taken_at),
        "exhibits": [
            {
                "title": _text(exhibit.title),
                "columns": list(exhibit.columns),
                "rows": [[_words(cell) for cell in row] for row in exhibit.rows],
                "note": _words(exhibit.note),
            }
            for exhibit in taken.exhibits
        ],
    }


def _trouble(finding: Finding, *, root: bool) -> Payload:
    found: Payload = {
        "fingerprint": str(finding.fingerprint),
        "target": finding.target,
        "family": finding.family,
        "title": _text(finding.title),
        "headline": _text(headline(finding)),
        "hint": _text(finding.hint),
        "runbook": _text(finding.runbook),
        "severity": _severity(finding.severity),
        "root": root,
        "since": _moment(finding.since),
        "seen_at": _moment(finding.at),
        "value": finding.value,
        "limit": finding.limit,
        "unit": finding.unit,
        "about": dict(finding.about),
        "cause": finding.cause,
    }
    if finding.evidence is not None:
        found["evidence"] = evidence(finding.evidence)
    return found


def _signer(person: Person, assignment: Assignment) -> Payload:
    return {
        "name": person.name,
        "nip": person.nip,
        "position": person.position,
        "role": assignment.role,
        "basis": str(assignment.basis),
        "letter_number": assignment.letter_number,
    }


def _text(text: Text) -> Payload:
    return {"id": text.id, "en": text.en}


def _words(words: Words) -> Payload | str:
    if isinstance(words, Text):
        return words.en if words.id == words.en else _text(words)
    return words


def _severity(severity: Severity) -> str:
    return severity.name.lower()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
