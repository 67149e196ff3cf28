"""Converts the newest readings into the pages' view of each server.

Reads memory only. A probe that is late or blind is never shown as OK.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from agent.metrics.readings import Latest, Seen, Watched, usable
from incidents.web.display.target_health import (
    FindingView,
    ProbeHealth,
    ProbeState,
    TargetHealth,
    Value,
)
from probes import CONNECTION_KINDS, Limits, Measurement, Probe, Severity, Text
from probes.fleet.plan import Plan
from probes.judge import BLIND, tuned
from probes.words.failure_text import why
from probes.words.not_applicable import why_unused

Incidents = Callable[[str], str]
"""The number of the open incident a fingerprint belongs to, or ``""``."""


def targets(latest: Latest, now: datetime, incident: Incidents) -> tuple[TargetHealth, ...]:
    """The health of every target as last seen, by name."""
    watched = sorted(latest.watched(), key=lambda each: each.plan.target.name)
    return tuple(_target(each, now, incident) for each in watched)


def _target(watched: Watched, now: datetime, incident: Incidents) -> TargetHealth:
    target = watched.plan.target
    address = target.address
    where = address.host if address.host.startswith("/") else f"{address.host}:{address.port}"
    up: bool | None = None
    for seen in list(watched.probes.values()):
        if seen.probe.judged_on_failure and seen.reading is not None:
            up = usable(seen.probe, seen.reading)
    return TargetHealth(
        name=target.name,
        engine=target.engine,
        flavour=watched.flavour,
        version=watched.version,
        address=where,
        cluster=target.cluster,
        role=watched.role or target.role,
        application=target.application,
        agency=target.agency,
        up=up,
        maintenance=watched.window,
        probes=tuple(
            _probe(watched.plan, seen, now, incident) for seen in list(watched.probes.values())
        ),
    )


def _probe(plan: Plan, seen: Seen, now: datetime, incident: Incidents) -> ProbeHealth:
    probe, reading = seen.probe, seen.reading
    standing = [f for f in list(seen.findings.values()) if f.severity > Severity.CLEAR]
    failure = reading.failure if reading else None
    said = why(failure) if failure else (why_unused(probe, reading) if reading else None)
    return ProbeHealth(
        name=probe.name,
        question=probe.question,
        state=_state(seen, now),
        read_at=reading.at if reading else None,
        duration_seconds=reading.duration_seconds if reading else None,
        values=tuple(_value(plan, probe, m) for m in (reading.measurements if reading else ())),
        message=failure.message if failure else (said.en if said else ""),
        why=said or Text(""),
        hint=failure.hint if failure else Text(""),
        findings=tuple(
            FindingView(
                f.severity,
                f.title,
                f.hint,
                f.since,
                incident(str(f.fingerprint)),
                str(f.fingerprint),
            )
            for f in standing
        ),
    )


def _state(seen: Seen, now: datetime) -> ProbeState:
    reading = seen.reading
    if reading is None:
        return ProbeState.STALE
    if now - reading.at > timedelta(seconds=seen.stale_after):
        return ProbeState.STALE
    judged = [f.severity for f in list(seen.findings.values()) if f.measure != BLIND]
    worst = max(judged, default=Severity.CLEAR)
    if worst is Severity.CRITICAL:
        return ProbeState.CRITICAL
    unused = why_unused(seen.probe, reading) is not None
    if unused and (reading.failure is not None or worst is Severity.CLEAR):
        return ProbeState.UNUSED
    if reading.failure is not None:
        # a server that is down is shown by the probe that decides it; the others cannot measure
        down = reading.failure.kind in CONNECTION_KINDS and bool(seen.probe.judged_on_failure)
        return ProbeState.CRITICAL if down else ProbeState.BLIND
    return ProbeState.WARNING if worst is Severity.WARNING else ProbeState.OK


def _value(plan: Plan, probe: Probe, measurement: Measurement) -> Value:
    unit = next(m.unit for m in probe.measures if m.name == measurement.measure)
    tuning = plan.target.probes.get(probe.name)
    given = tuning.thresholds.get(measurement.measure, Limits()) if tuning else Limits()
    limits = next((t for t in probe.thresholds if t.measure == measurement.measure), None)
    limits = tuned(limits, given) if limits else None
    return Value(
        name=measurement.measure,
        value=measurement.value,
        unit=unit,
        subject=measurement.subject,
        warning=limits.warning if limits else None,
        critical=limits.critical if limits else None,
    )
