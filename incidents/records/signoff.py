"""Writes a signature and its document: one event and one row, each containing the other's hash."""

from __future__ import annotations

from typing import Any

from incidents.documents import store as shelf
from incidents.documents.compose import Signature, document_data
from incidents.documents.model import Document, Office
from incidents.ledger import payloads
from incidents.ledger.canonical_json import canonical, digest, mended
from incidents.model import Assignment, Decision, Event, EventKind, Incident, Person
from incidents.people import directory
from incidents.procedure import sla
from incidents.procedure.model import DocumentKind, Procedure
from incidents.records.transaction import Transaction
from incidents.workflow.actions import Dismiss, Sign


def leave_document(
    change: Transaction, office: Office, action: Sign | Dismiss, person: Person, by: Assignment
) -> Event:
    """Write the signature of an allowed action and store its document.

    Raises ``NotCanonical`` for a form without a single written form.
    """
    incident, procedure = change.incident, change.procedure
    visit = incident.visits[-1]
    decision, form, kind, revision = _decided(action, procedure, visit.step)
    canonical(form)  # a person's text is refused, not repaired
    earlier = shelf.documents(change.connection, change.number)
    revises = next((each for each in reversed(earlier) if each.kind == kind.kind), None)
    data = mended(
        document_data(
            incident,
            procedure,
            Signature(person, by, decision, form, change.now),
            office,
            sla.clocks(incident, procedure, change.calendar, change.now).current,
            earlier,
            revises if revision > 1 else None,
            directory.read(change.connection).names,
        )
    )
    id = f"{visit.step}-{visit.attempt}-{kind.kind.replace('_', '-')}"
    sha256 = digest(canonical(data))
    event = change.write(
        EventKind.SIGNED if isinstance(action, Sign) else EventKind.DISMISSED,
        person.username,
        {**_payload(incident, action, form, person, by, id), "document_sha256": sha256},
    )
    shelf.put(
        change.connection,
        Document(
            id=id,
            incident=change.number,
            step=visit.step,
            attempt=visit.attempt,
            kind=kind.kind,
            title=kind.title,
            revision=revision,
            at=change.now,
            data=data,
            sha256=sha256,
            previous=earlier[-1].sha256 if earlier else "",
            sequence=event.sequence,
            ledger_hash=event.hash,
        ),
    )
    return event


def _decided(
    action: Sign | Dismiss, procedure: Procedure, step: int
) -> tuple[Decision, dict[str, Any], DocumentKind, int]:
    """Decision and form of the action, with the kind and the revision of the document it leaves."""
    if isinstance(action, Sign):
        kind, revision = procedure.output(step, action.decision)
        return action.decision, dict(action.form), kind, revision
    if procedure.dismissal is None:
        raise LookupError("this procedure knows no dismissal")
    form = {
        "outcome": action.outcome.value,
        "reason": action.reason,
        "duplicate_of": action.duplicate_of.strip(),
    }
    return Decision.RETURN, form, procedure.documents[procedure.dismissal.document], 1


def _payload(
    incident: Incident,
    action: Sign | Dismiss,
    form: dict[str, Any],
    person: Person,
    by: Assignment,
    document: str,
) -> payloads.Payload:
    step = incident.visits[-1].step
    if isinstance(action, Sign):
        return payloads.signed(
            step,
            action.decision,
            form,
            person=person,
            assignment=by,
            document_id=document,
            red=incident.red,
        )
    return payloads.dismissed(
        step,
        action.outcome,
        action.reason,
        person=person,
        assignment=by,
        document_id=document,
        duplicate_of=action.duplicate_of.strip(),
    )
