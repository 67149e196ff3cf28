"""Converts values of the core to the API's bodies."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from incidents.documents.model import Document
from incidents.model import Trouble, Visit
from incidents.procedure.sla import SlaClock
from incidents.records.rows import IncidentRow
from incidents.records.timeline import TimelineEntry
from incidents.web.api import schemas
from incidents.web.display.target_health import ProbeHealth, TargetHealth
from incidents.web.views.incident_view import Case
from probes import Severity, Text
from probes.words import finding_json


def said(text: Text) -> schemas.Said:
    return schemas.Said(**finding_json.text(text))


def summary(row: IncidentRow, now: datetime) -> schemas.IncidentSummary:
    return schemas.IncidentSummary(
        number=row.number,
        state="open" if row.open else "closed",
        version=row.version,
        step=row.step,
        attempt=row.attempt,
        step_title=said(row.step_title),
        role=row.role,
        severity=_level(row.severity),
        red=row.red,
        title=said(row.title),
        source=row.source,
        target=row.target,
        cluster=row.cluster,
        application=row.application,
        agency=row.agency,
        opened_at=row.opened_at,
        due_at=row.due_at,
        overall_due_at=row.overall_due_at,
        closed_at=row.closed_at,
        outcome=row.outcome.value if row.outcome else None,
        late=row.late(now),
    )


def whole(case: Case) -> schemas.IncidentBody:
    incident, clocks = case.incident, case.clocks
    return schemas.IncidentBody(
        number=incident.number,
        state="open" if incident.open else "closed",
        version=incident.version,
        step=incident.step,
        title=said(incident.title),
        severity=_level(incident.severity),
        red=incident.red,
        source=incident.source,
        family=incident.family,
        target=incident.target,
        cluster=incident.cluster,
        application=incident.application,
        agency=incident.agency,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        outcome=incident.outcome.value if incident.outcome else None,
        previous=incident.previous,
        procedure=incident.procedure,
        report=dict(incident.report),
        findings=[_finding(trouble) for trouble in incident.troubles],
        visits=[_visit(visit) for visit in incident.visits],
        clocks=[_clock(clock) for clock in clocks.steps],
        overall=_clock(clocks.overall),
        room_seconds=clocks.room_seconds,
        loops_affordable=dict(clocks.loops_affordable),
        downtime_seconds=clocks.downtime_seconds,
        timeline=[line_of(line) for line in case.timeline],
        waiting=_waiting(case) if incident.open else None,
    )


def _level(severity: Severity) -> Any:
    return finding_json.severity(severity)


def _finding(trouble: Trouble) -> schemas.FindingBody:
    return schemas.FindingBody(
        fingerprint=trouble.fingerprint,
        target=trouble.target,
        family=trouble.family,
        headline=said(trouble.name),
        title=said(trouble.title),
        hint=said(trouble.hint),
        severity=_level(trouble.severity),
        root=trouble.root,
        first_at=trouble.first_at,
        last_at=trouble.last_at,
        cleared_at=trouble.cleared_at,
        raised_count=trouble.raised_count,
        green_seconds=trouble.green_seconds,
        evidence=dict(trouble.evidence) if trouble.evidence is not None else None,
    )


def _visit(visit: Visit) -> schemas.VisitBody:
    signed = visit.signoff
    return schemas.VisitBody(
        step=visit.step,
        attempt=visit.attempt,
        entered_at=visit.entered_at,
        claimed_by=visit.claimed_by,
        signed_by=signed.username if signed else "",
        role=signed.role if signed else "",
        decision=signed.decision.value if signed else None,
        signed_at=signed.at if signed else None,
        document=signed.document_id if signed else "",
        form=dict(signed.form) if signed else {},
    )


def _clock(clock: SlaClock) -> schemas.ClockBody:
    return schemas.ClockBody(
        step=clock.step,
        attempt=clock.attempt,
        state=clock.state.value,
        starts_at=clock.starts_at,
        due_at=clock.due_at,
        ended_at=clock.ended_at,
        standard_seconds=clock.standard_seconds,
        used_seconds=clock.used_seconds,
        remaining_seconds=clock.remaining_seconds,
        wall_seconds=clock.wall_seconds,
        above_target=clock.above_target,
        outside_hours=clock.outside_hours,
        provisional=clock.provisional,
    )


def line_of(line: TimelineEntry) -> schemas.TimelineLine:
    return schemas.TimelineLine(
        sequence=line.sequence,
        at=line.at,
        kind=line.kind.value,
        actor=line.actor,
        actor_name=line.actor_name,
        text=said(line.text),
        hash=line.hash,
    )


def _waiting(case: Case) -> schemas.Waiting:
    step, refusal = case.step, case.refusal
    return schemas.Waiting(
        step=step.number,
        title=said(step.title),
        role=step.role,
        decisions=[decision.value for decision in step.decisions],
        form=[
            schemas.FormField(
                name=field.name,
                kind=field.kind.value,
                label=said(field.label),
                required=field.required,
                options=[option.value for option in field.options],
            )
            for field in step.form
        ],
        may_sign=refusal is None,
        refusal=said(refusal) if refusal is not None else None,
        signers=sorted(case.holders.get(step.role, {})),
    )


def document_summary(document: Document) -> schemas.DocumentSummary:
    return schemas.DocumentSummary(**_document(document))


def document_whole(document: Document) -> schemas.DocumentBody:
    return schemas.DocumentBody(**_document(document), data=dict(document.data))


def _document(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "step": document.step,
        "attempt": document.attempt,
        "kind": document.kind,
        "title": said(document.title),
        "revision": document.revision,
        "at": document.at,
        "sha256": document.sha256,
        "previous": document.previous,
        "sequence": document.sequence,
        "ledger_hash": document.ledger_hash,
    }


def target(health: TargetHealth) -> schemas.TargetBody:
    return schemas.TargetBody(
        name=health.name,
        engine=health.engine,
        flavour=health.flavour,
        version=health.version,
        address=health.address,
        cluster=health.cluster,
        role=health.role,
        application=health.application,
        agency=health.agency,
        up=health.up,
        state=health.state.value,
        probes=[_probe(probe) for probe in health.probes],
    )


def _probe(probe: ProbeHealth) -> schemas.ProbeBody:
    return schemas.ProbeBody(
        name=probe.name,
        question=said(probe.question),
        state=probe.state.value,
        read_at=probe.read_at,
        duration_seconds=probe.duration_seconds,
        values=[asdict(value) for value in probe.values],
        message=probe.message,
        hint=said(probe.hint),
        findings=[
            {
                "severity": finding_json.severity(finding.severity),
                "title": finding_json.text(finding.title),
                "hint": finding_json.text(finding.hint),
                "since": finding.since,
                "incident": finding.incident,
            }
            for finding in probe.findings
        ],
    )
