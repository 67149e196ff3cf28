"""Writes the result of a placement, in the caller's transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidents.correlation.placement import Placement
from incidents.ledger import payloads
from incidents.ledger.canonical_json import mended
from incidents.model import JSON, SYSTEM, Change, EventKind, Incident, Reported, Trouble
from incidents.records import summaries
from incidents.records.repository import VersionedRules
from incidents.records.transaction import Writer
from probes import Finding, Fingerprint, Severity, Text

_DUPLICATE = Text("from a duplicate report")


def apply(placement: Placement, finding: Finding, writer: Writer) -> Reported:
    """Write the placement. Raises ``IntegrityError`` if another writer opened the finding first."""
    fingerprint = str(finding.fingerprint)
    if placement.release:
        summaries.release(writer.connection, fingerprint)
    if placement.moves:
        summaries.hand_over(writer.connection, fingerprint)
    if placement.leaves:
        _leave(writer, placement.leaves, finding)
    if placement.change is Change.NOTHING:
        return placement.reported
    if placement.change is Change.OPENED:
        change = writer.open(SYSTEM, mended(_opening(placement, finding, writer.rules)))
        change.hold(fingerprint, finding.severity)
    else:
        change = writer.change(placement.number)
        kind, payload = _stated(placement, finding)
        change.state(kind, mended(payload), fingerprint, finding.severity)
    for each in placement.draws:
        again = _again(each.trouble, writer.now)
        _leave(writer, each.number, again)
        payload = payloads.attached(again, root=False, because=each.because)
        change.state(EventKind.ATTACHED, mended(payload), each.trouble.fingerprint, again.severity)
    return Reported(placement.change, change.number)


def pass_on(writer: Writer, closed: Incident, number: str) -> None:
    """Move the findings of a closed duplicate that are still bad to the incident it repeats."""
    there = writer.change(number)
    had = {trouble.fingerprint for trouble in there.incident.troubles}
    for trouble in closed.troubles:
        if trouble.severity > Severity.CLEAR:
            again = _again(trouble, writer.now)
            if trouble.fingerprint in had:  # it left that incident to become this one
                kind, payload = EventKind.OBSERVED, payloads.observed(again)
            else:
                kind = EventKind.ATTACHED
                payload = payloads.attached(again, root=False, because=_DUPLICATE)
            there.state(kind, mended(payload), trouble.fingerprint, again.severity)


def _opening(placement: Placement, finding: Finding, rules: VersionedRules) -> JSON:
    return payloads.opened(
        finding,
        procedure=rules.procedure.hash,
        calendar=rules.calendar.hash,
        first_step=rules.procedure.first,
        previous=placement.previous,
    )


def _stated(placement: Placement, finding: Finding) -> tuple[EventKind, JSON]:
    """The event of an incident that is open already."""
    if placement.change is Change.ATTACHED:
        found = placement.match
        return EventKind.ATTACHED, payloads.attached(
            finding, root=found.root, because=found.because
        )
    if placement.change is Change.CLEARED:
        return EventKind.CLEARED, payloads.cleared(finding)
    return EventKind.OBSERVED, payloads.observed(finding)


def _leave(writer: Writer, number: str, finding: Finding) -> None:
    """Remove a finding from an incident because it continues in another."""
    there = writer.change(number)
    gone = replace(finding, severity=Severity.CLEAR)
    there.write(EventKind.CLEARED, SYSTEM, mended(payloads.cleared(gone, moved=True)))
    there.finish()
    summaries.hand_over(writer.connection, str(finding.fingerprint))


def _again(trouble: Trouble, now: datetime) -> Finding:
    """A finding of another incident, rebuilt from its record."""
    named = Fingerprint.parse(trouble.fingerprint)
    return Finding(
        target=named.target,
        probe=named.probe,
        measure=named.measure,
        subject=named.subject,
        severity=trouble.severity,
        title=trouble.title,
        hint=trouble.hint,
        family=trouble.family,
        at=now,
        since=trouble.first_at,
        about=trouble.about,
        runbook=trouble.runbook,
        cause=trouble.cause,
        headline=trouble.headline,
    )
