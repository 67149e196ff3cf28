"""Composes the data of a document at the moment of a signature.

Nothing is looked up later: names, positions, verdicts and forms are stored as they are now. The
letter never contains a number that is not in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from incidents.documents.letter import letter_data
from incidents.documents.model import Document, Office
from incidents.ledger.chain import written
from incidents.model import JSON, Assignment, Basis, Decision, Incident, Person, Trouble
from incidents.procedure.load import Field, Procedure, Step
from incidents.procedure.sla import SlaClock
from probes import Text
from probes.words.finding_json import severity, text

_ACTING = {Basis.PLT: "Plt.", Basis.PLH: "Plh.", Basis.DEFINITIVE: ""}


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs what, when, and by which right."""

    person: Person
    assignment: Assignment
    decision: Decision
    form: JSON
    at: datetime


def document_data(
    incident: Incident,
    procedure: Procedure,
    signature: Signature,
    office: Office,
    clock: SlaClock | None,
    earlier: Sequence[Document],
    revises: Document | None,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """The data of the document that ``signature`` leaves on the waiting step.

    ``names``: printed name by username; a paper shows people, not accounts.
    """
    step = procedure.step(incident.step)
    office = office.signing_for(procedure.letter)
    data: dict[str, Any] = {
        "incident": _facts(incident),
        "procedure": {"name": procedure.name, "title": text(procedure.title)},
        "step": {
            "number": step.number,
            "attempt": incident.visits[-1].attempt,
            "title": text(step.title),
            "question": text(step.question),
            "role": step.role,
            "role_title": text(procedure.role(step.role).title),
        },
        "decision": signature.decision.value,
        "form": _form(step, signature.form, names),
        "signer": _signer(procedure, signature),
        "troubles": [_verdict(trouble, signature.at) for trouble in incident.troubles],
        "clock": _clock(clock),
        "visits": _visits(incident, procedure, names),
        "notes": [
            {
                "at": written(note.at),
                "username": note.username,
                "name": names.get(note.username, note.username),
                "text": note.text,
            }
            for note in incident.notes
        ],
        "dispensations": [
            {
                **asdict(given),
                "at": written(given.at),
                "name": names.get(given.username, given.username),
                "granted_by_name": names.get(given.granted_by, given.granted_by),
            }
            for given in incident.dispensations
        ],
        "revises": {"id": revises.id, "sha256": revises.sha256} if revises else None,
        "office": asdict(office),
    }
    letter = procedure.letter
    approved = step.outputs[Decision.APPROVE] if signature.decision is Decision.APPROVE else None
    if letter is not None and approved is not None and approved.kind == letter.document:
        data["letter"] = letter_data(letter, procedure, data, office, earlier)
    return data


def _facts(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.number,
        "title": text(incident.title),
        "target": incident.target,
        "cluster": incident.cluster,
        "application": incident.application,
        "agency": incident.agency,
        "severity": severity(incident.severity),
        "opened_at": written(incident.opened_at),
        "source": incident.source,
        "report": dict(incident.report),
        "previous": incident.previous,
    }


def _form(step: Step, form: JSON, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The answers in the order of the form, each as the person wrote it and as it is printed."""
    rows = []
    for field in step.form:
        if field.name in form:
            value = form[field.name]
            rows.append(
                {
                    "name": field.name,
                    "kind": field.kind.value,
                    "label": text(field.label),
                    "value": value,
                    "printed": text(_printed(field, value, names)),
                }
            )
    return rows


def _printed(field: Field, value: Any, names: Mapping[str, str]) -> Text:
    if isinstance(value, bool):
        return Text("Yes") if value else Text("No")
    if isinstance(value, list | tuple):
        joined = "; ".join(names.get(str(each), str(each)) for each in value)
        return Text.verbatim(joined)
    for option in field.options:
        if option.value == value:
            return option.label
    return Text.verbatim(str(value))


def _signer(procedure: Procedure, signature: Signature) -> dict[str, Any]:
    person, assignment = signature.person, signature.assignment
    acting = _ACTING[assignment.basis]
    role = procedure.role(assignment.role).title
    return {
        "username": person.username,
        "name": person.name,
        "nip": person.nip,
        "position": person.position,
        "rank": person.rank,
        "role": assignment.role,
        "basis": assignment.basis.value,
        "letter_number": assignment.letter_number,
        # Plt. and Plh. sign for a post that is not their own, and the paper must show it
        "on_behalf": f"{acting} {role.id}" if acting else "",
        "at": written(signature.at),
    }


def _verdict(trouble: Trouble, now: datetime) -> dict[str, Any]:
    red = trouble.cleared_at is None
    green = trouble.green_seconds
    if trouble.cleared_at is not None:
        green += max(0.0, (now - trouble.cleared_at).total_seconds())
    return {
        "fingerprint": trouble.fingerprint,
        "title": text(trouble.title),
        "target": trouble.target,
        "root": trouble.root,
        "red": red,
        "severity": severity(trouble.severity),
        "first_red": written(trouble.first_at),
        "last_red": written(now if trouble.cleared_at is None else trouble.cleared_at),
        "green_minutes": int(green // 60),
        "flaps": trouble.raised_count - 1,
        "evidence": trouble.evidence,
    }


def _clock(clock: SlaClock | None) -> dict[str, Any] | None:
    if clock is None:
        return None
    return {
        "starts_at": written(clock.starts_at),
        "due_at": written(clock.due_at),
        "standard_minutes": int(clock.standard_seconds // 60),
        "used_minutes": int(clock.used_seconds // 60),
        "state": "breached" if clock.remaining_seconds < 0 else "met",
        "above_target": clock.above_target,
        "outside_hours": clock.outside_hours,
        "provisional": clock.provisional,
    }


def _visits(
    incident: Incident, procedure: Procedure, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            "step": visit.step,
            "attempt": visit.attempt,
            "title": text(procedure.step(visit.step).title),
            "role": visit.signoff.role,
            "name": visit.signoff.name,
            "position": visit.signoff.position,
            "decision": visit.signoff.decision.value,
            "at": written(visit.signoff.at),
            "document": visit.signoff.document_id,
            "form": _form(procedure.step(visit.step), visit.signoff.form, names),
        }
        for visit in incident.visits
        if visit.signoff is not None
    ]
