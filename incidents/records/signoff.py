"""Writes a signature and its document: one event and one row, each containing the other's hash."""

from __future__ import annotations

from incidents.documents import store as shelf
from incidents.documents.compose import Signature, document_data
from incidents.documents.model import Document, Office
from incidents.ledger import payloads
from incidents.ledger.canonical_json import canonical, digest, mended
from incidents.model import Assignment, Decision, Event, EventKind, Person
from incidents.people import directory
from incidents.procedure import sla
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
    if isinstance(action, Sign):
        decision, form = action.decision, dict(action.form)
        kind, revision = procedure.output(visit.step, decision)
    else:
        if procedure.dismissal is None:
            raise LookupError("this procedure knows no dismissal")
        decision = Decision.RETURN
        form = {
            "outcome": action.outcome.value,
            "reason": action.reason,
            "duplicate_of": action.duplicate_of.strip(),
        }
        kind, revision = procedure.documents[procedure.dismissal.document], 1
    canonical(form)  # a person's text is refused, not repaired
    earlier = shelf.documents(change.connection, change.number)
    revises = next((each for each in reversed(earlier) if each.kind == kind.kind), None)
    signature = Signature(person, by, decision, form, change.now)
    clock = sla.clocks(incident, procedure, change.calendar, change.now).current
    data = document_data(
        incident,
        procedure,
        signature,
        office,
        clock,
        earlier,
        revises if revision > 1 else None,
        directory.read(change.connection).names,
    )
    data = mended(data)
    id = f"{visit.step}-{visit.attempt}-{kind.kind.replace('_', '-')}"
    sha256 = digest(canonical(data))
    payload = (
        payloads.signed(
            visit.step,
            decision,
            form,
            person=person,
            assignment=by,
            document_id=id,
            red=incident.red,
        )
        if isinstance(action, Sign)
        else payloads.dismissed(
            visit.step,
            action.outcome,
            action.reason,
            person=person,
            assignment=by,
            document_id=id,
            duplicate_of=action.duplicate_of.strip(),
        )
    )
    payload["document_sha256"] = sha256
    event = change.write(
        EventKind.SIGNED if isinstance(action, Sign) else EventKind.DISMISSED,
        person.username,
        payload,
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
