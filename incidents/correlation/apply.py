"""Writes the result of a placement, in the caller's transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidents.correlation.match import drawn_in
from incidents.correlation.placement import Placement
from incidents.correlation.table import Table
from incidents.ledger import payloads
from incidents.ledger.canonical_json import mended
from incidents.model import SYSTEM, Change, EventKind, Incident, Reported, Trouble
from incidents.records import summaries
from incidents.records.transaction import Transaction, Writer
from probes import Finding, Fingerprint, Severity, Text

_DUPLICATE = Text("from a duplicate report")


def apply(placement: Placement, finding: Finding, writer: Writer, table: Table) -> Reported:
    """Write the placement. Raises ``IntegrityError`` if another writer opened the same finding
    first.
    """
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
        rules = writer.rules
        payload = payloads.opened(
            finding,
            procedure=rules.procedure.hash,
            calendar=rules.calendar.hash,
            first_step=rules.procedure.first,
            previous=placement.previous,
        )
        change = writer.open(SYSTEM, mended(payload))
    else:
        change = writer.change(placement.number)
        _state(change, finding, placement)
    change.finish()
    summaries.hold(writer.connection, change.number, fingerprint, finding.severity)
    if placement.change is Change.OPENED:
        _draw_in(writer, change, finding, table, placement.leaves)
    return Reported(placement.change, change.number)


def pass_on(writer: Writer, closed: Incident, number: str) -> None:
    """Move the findings of a closed duplicate that are still bad to the incident it repeats."""
    there = writer.change(number)
    for trouble in closed.troubles:
        if trouble.severity > Severity.CLEAR:
            again = _again(trouble, writer.now)
            payload = payloads.attached(again, root=False, because=_DUPLICATE)
            there.write(EventKind.ATTACHED, SYSTEM, mended(payload))
            there.finish()
            summaries.hold(writer.connection, number, trouble.fingerprint, trouble.severity)


def _state(change: Transaction, finding: Finding, placement: Placement) -> None:
    found = placement.match
    match placement.change:
        case Change.ATTACHED:
            payload = payloads.attached(finding, root=found.root, because=found.because)
            kind = EventKind.ATTACHED
        case Change.CLEARED:
            kind, payload = EventKind.CLEARED, payloads.cleared(finding)
        case _:
            kind, payload = EventKind.OBSERVED, payloads.observed(finding)
    change.write(kind, SYSTEM, mended(payload))


def _leave(writer: Writer, number: str, finding: Finding) -> None:
    """Remove a finding from an incident because it continues in another."""
    there = writer.change(number)
    gone = replace(finding, severity=Severity.CLEAR)
    there.write(EventKind.CLEARED, SYSTEM, mended(payloads.cleared(gone, moved=True)))
    there.finish()
    summaries.hand_over(writer.connection, str(finding.fingerprint))


def _draw_in(
    writer: Writer, change: Transaction, finding: Finding, table: Table, left: str
) -> None:
    """Move here what returned with this fault and is in the incident of an older one, and the
    symptoms it has in the incident it ``left``.
    """
    for number, trouble, because in drawn_in(finding, writer.open_incidents(), table, left=left):
        again = _again(trouble, writer.now)
        _leave(writer, number, again)
        joined = payloads.attached(again, root=False, because=because)
        change.write(EventKind.ATTACHED, SYSTEM, mended(joined))
        change.finish()
        summaries.hold(writer.connection, change.number, trouble.fingerprint, trouble.severity)


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
