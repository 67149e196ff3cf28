"""Computes an incident from its events.

Pure: the same events under the same procedure always give the same incident. Reads no clock and no
store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from incidents.model import (
    JSON,
    Basis,
    Decision,
    Dispensation,
    Event,
    EventKind,
    Incident,
    Outcome,
    Remark,
    SignOff,
    Trouble,
    Visit,
)
from incidents.procedure.load import Procedure
from probes import Severity
from probes.words.finding_json import from_json, moment_of, severity_of, text_of


class FoldError(ValueError):
    """An event that cannot follow the ones before it; Sigap does not write such ledgers."""


def apply(incident: Incident | None, event: Event, procedure: Procedure) -> Incident:
    """The incident after ``event``; ``None`` before an OPENED event.

    ``procedure`` is the one the incident opened under. Unknown payload keys are ignored. Raises
    ``FoldError`` when the event cannot follow: a step signed that does not wait, or anything after
    the end but a breach or a reminder recorded late.
    """
    try:
        if incident is None:
            after = _opened(event)
        elif event.kind is EventKind.OPENED:
            raise _impossible(event, "the incident is open already")
        elif event.incident != incident.number:
            raise _impossible(event, f"it belongs to another incident than {incident.number}")
        elif not incident.open and event.kind not in _AFTER_THE_END:
            raise _impossible(event, "the incident is closed")
        else:
            after = _FOLDS[event.kind](incident, event, procedure)
    except (KeyError, TypeError, AttributeError) as error:
        raise _impossible(event, f"its payload lacks {error}") from error
    return replace(after, last_sequence=event.sequence)


def fold(events: Iterable[Event], procedure: Procedure) -> Incident:
    """The incident its events add up to. Raises ``FoldError`` also when there are none."""
    incident: Incident | None = None
    for event in events:
        incident = apply(incident, event, procedure)
    if incident is None:
        raise FoldError("no events: there is no such incident")
    return incident


def _impossible(event: Event, why: str) -> FoldError:
    return FoldError(f"event {event.sequence} ({event.kind}, {event.incident}): {why}")


def _opened(event: Event) -> Incident:
    if event.kind is not EventKind.OPENED:
        raise _impossible(event, "the first event must be the opening")
    payload = event.payload
    trouble = payload.get("trouble")
    return Incident(
        number=event.incident,
        version=1,
        opened_at=event.at,
        source=payload["source"],
        procedure=payload["procedure"],
        calendar=payload["calendar"],
        title=text_of(payload["title"]),
        severity=severity_of(payload["severity"]),
        family=payload["family"],
        target=payload.get("target", ""),
        cluster=payload.get("cluster", ""),
        application=payload.get("application", ""),
        agency=payload.get("agency", ""),
        troubles=() if trouble is None else (_trouble(trouble, root=True),),
        visits=(Visit(step=payload["step"], attempt=1, entered_at=event.at),),
        report=dict(payload.get("report") or {}),
        previous=payload.get("previous", ""),
    )


def _attached(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    payload = event.payload["trouble"]
    joined = _trouble(payload, root=bool(payload["root"]))
    if any(each.fingerprint == joined.fingerprint for each in incident.troubles):
        raise _impossible(event, f"{joined.fingerprint} is attached already")
    severity = max(incident.severity, joined.severity)
    if not joined.root:
        return replace(incident, troubles=(*incident.troubles, joined), severity=severity)
    about = joined.about
    return replace(
        incident,
        troubles=(*(replace(each, root=False) for each in incident.troubles), joined),
        severity=severity,
        title=joined.name,
        family=joined.family,
        target=joined.target,
        cluster=about.get("cluster") or incident.cluster,
        application=about.get("application") or incident.application,
        agency=about.get("agency") or incident.agency,
    )


def _observed(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    payload = event.payload["trouble"]
    seen = _trouble(payload, root=False)

    def change(old: Trouble) -> Trouble:
        returned = old.cleared_at is not None
        green = 0.0
        if old.cleared_at is not None:
            green = max(0.0, (seen.last_at - old.cleared_at).total_seconds())
        return replace(
            old,
            title=seen.title,
            headline=seen.headline,
            hint=seen.hint,
            severity=seen.severity,
            cause=seen.cause,
            last_at=seen.last_at,
            cleared_at=None,
            moved=False,
            raised_count=old.raised_count + returned,
            green_seconds=old.green_seconds + green,
            **_evidence(old, seen.evidence),
        )

    changed = _with_trouble(incident, event, seen.fingerprint, change)
    return replace(changed, severity=max(incident.severity, seen.severity))


MOST_EARLIER = 5
"""How many earlier evidences are kept: the first, and the newest of the others."""


def taken_at(evidence: JSON) -> datetime:
    """When recorded evidence was taken."""
    return moment_of(evidence["taken_at"])


def _evidence(old: Trouble, seen: JSON | None) -> dict[str, Any]:
    """The evidence of a finding after it was stated with this one; only newer evidence counts."""
    if seen is None or (old.evidence and taken_at(seen) <= taken_at(old.evidence)):
        return {}
    if old.evidence is None:
        return {"evidence": seen}
    earlier = (old.evidence, *old.earlier)
    if len(earlier) > MOST_EARLIER:
        earlier = (*earlier[: MOST_EARLIER - 1], earlier[-1])
    return {"evidence": seen, "earlier": earlier}


def _cleared(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    seen_at = moment_of(event.payload["seen_at"])

    def change(old: Trouble) -> Trouble:
        return replace(
            old,
            title=text_of(event.payload["last"]) if event.payload.get("last") else old.title,
            severity=Severity.CLEAR,
            last_at=seen_at,
            cleared_at=old.cleared_at or seen_at,
            moved=bool(event.payload.get("moved")),
        )

    return _with_trouble(incident, event, event.payload["fingerprint"], change)


def _with_trouble(
    incident: Incident, event: Event, fingerprint: str, change: Callable[[Trouble], Trouble]
) -> Incident:
    if all(each.fingerprint != fingerprint for each in incident.troubles):
        raise _impossible(event, f"{fingerprint} was never attached")
    return replace(
        incident,
        troubles=tuple(
            change(each) if each.fingerprint == fingerprint else each for each in incident.troubles
        ),
    )


def _claimed(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    visit = _waiting(incident, event)
    claimed = replace(visit, claimed_by=event.actor, claimed_at=event.at)
    return _acted(incident, (*incident.visits[:-1], claimed))


def _signed(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    payload = event.payload
    visit = _waiting(incident, event)
    step = procedure.step(visit.step)
    decision = Decision(payload["decision"])
    signoff = _signoff(event, decision, payload["form"])
    visits = (*incident.visits[:-1], replace(visit, signoff=signoff))
    following = step.next if decision is Decision.APPROVE else step.return_to
    if following is not None:
        attempt = 1 + sum(each.step == following for each in visits)
        return _acted(incident, (*visits, Visit(following, attempt, entered_at=event.at)))
    if decision is Decision.RETURN:
        raise _impossible(event, f"step {step.number} cannot be returned")
    closed = _acted(incident, visits)
    return replace(closed, outcome=Outcome.RESOLVED, closed_at=event.at)


def _dismissed(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    payload = event.payload
    visit = _waiting(incident, event)
    form = {key: payload.get(key, "") for key in ("outcome", "reason", "duplicate_of")}
    signoff = _signoff(event, Decision.RETURN, form)
    closed = _acted(incident, (*incident.visits[:-1], replace(visit, signoff=signoff)))
    return replace(closed, outcome=Outcome(payload["outcome"]), closed_at=event.at)


def _signoff(event: Event, decision: Decision, form: Mapping[str, Any]) -> SignOff:
    payload = event.payload
    return SignOff(
        username=event.actor,
        name=payload["name"],
        nip=payload.get("nip", ""),
        position=payload.get("position", ""),
        role=payload["role"],
        basis=Basis(payload["basis"]),
        letter_number=payload.get("letter_number", ""),
        decision=decision,
        at=event.at,
        form=dict(form),
        document_id=payload.get("document", ""),
        sequence=event.sequence,
        hash=event.hash,
    )


def _waiting(incident: Incident, event: Event) -> Visit:
    visit = incident.visits[-1]
    if event.payload["step"] != visit.step:
        raise _impossible(event, f"step {visit.step} waits, not {event.payload['step']}")
    return visit


def _acted(incident: Incident, visits: tuple[Visit, ...]) -> Incident:
    return replace(incident, visits=visits, version=incident.version + 1)


def _noted(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    remark = Remark(event.at, event.actor, event.payload["text"])
    return replace(incident, notes=(*incident.notes, remark))


def _dispensed(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    payload = event.payload
    granted = Dispensation(
        at=event.at,
        granted_by=event.actor,
        username=payload["username"],
        step=payload["step"],
        reason=payload["reason"],
    )
    return replace(
        incident,
        dispensations=(*incident.dispensations, granted),
        version=incident.version + 1,
    )


def _reminded(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    deadline = moment_of(event.payload["deadline"])
    if event.payload["step"] == 0:
        return replace(incident, overall_reminded_at=deadline)
    return _with_visit(incident, event, lambda visit: replace(visit, reminded_at=deadline))


def _breached(incident: Incident, event: Event, procedure: Procedure) -> Incident:
    deadline = moment_of(event.payload["deadline"])
    if event.payload["step"] == 0:
        return replace(incident, overall_breached_at=deadline)
    return _with_visit(incident, event, lambda visit: replace(visit, breached_at=deadline))


def _with_visit(incident: Incident, event: Event, change: Callable[[Visit], Visit]) -> Incident:
    which = (event.payload["step"], event.payload["attempt"])
    if all((visit.step, visit.attempt) != which for visit in incident.visits):
        raise _impossible(event, f"step {which[0]} was never visited {which[1]} times")
    return replace(
        incident,
        visits=tuple(
            change(visit) if (visit.step, visit.attempt) == which else visit
            for visit in incident.visits
        ),
    )


def _trouble(payload: Mapping[str, Any], *, root: bool) -> Trouble:
    said = from_json(payload, with_evidence=False)
    return Trouble(
        fingerprint=str(said.fingerprint),
        target=said.target,
        family=said.family,
        title=said.title,
        hint=said.hint,
        severity=said.severity,
        root=root,
        first_at=said.since,
        last_at=said.at,
        evidence=payload.get("evidence"),
        runbook=said.runbook,
        about=said.about,
        cause=said.cause,
        headline=said.headline,
    )


_AFTER_THE_END = frozenset({EventKind.REMINDED, EventKind.BREACHED})
"""The sweep may record a breach after the late signature."""

_FOLDS: Mapping[EventKind, Callable[[Incident, Event, Procedure], Incident]] = {
    EventKind.ATTACHED: _attached,
    EventKind.OBSERVED: _observed,
    EventKind.CLEARED: _cleared,
    EventKind.CLAIMED: _claimed,
    EventKind.SIGNED: _signed,
    EventKind.DISMISSED: _dismissed,
    EventKind.NOTED: _noted,
    EventKind.DISPENSED: _dispensed,
    EventKind.REMINDED: _reminded,
    EventKind.BREACHED: _breached,
}
