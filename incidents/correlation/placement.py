"""What a stated finding changes: decided from the store, before anything is written.

Level, not edge: the same verdict may be stated at every reading, so most of the time the answer
is "nothing". The answer is worked out once without a lock and again with it when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from incidents.correlation import match as correlation
from incidents.correlation.match import Placement
from incidents.correlation.table import Table
from incidents.ledger import payloads
from incidents.model import JSON, Change, EventKind, Incident, Trouble
from incidents.records import summaries as records
from incidents.records.repository import Folds
from probes import Finding, Fingerprint, Severity

_ALONE = Placement()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a finding."""

    change: Change
    number: str = ""  # of the incident concerned
    placement: Placement = _ALONE
    previous: str = ""  # the closed incident of the same finding, when a new one opens
    release: bool = False  # it was held back and is clear: it counts again
    moves: bool = False  # a cleared symptom of one incident is the next fault, or part of it
    leaves: str = ""  # the incident that a symptom leaves because it outlasts its cause

    @property
    def writes(self) -> bool:
        return self.release or self.change is not Change.NOTHING


def plan(
    connection: Connection,
    finding: Finding,
    folds: Folds,
    table: Table,
) -> Plan:
    """Decide about one finding; reads only."""
    load_open = folds.load_open
    known = records.known(connection, str(finding.fingerprint))
    if known is not None:
        standing = finding.opens and known.severity > Severity.CLEAR
        if standing and correlation.may_part(finding, table):
            mine = folds.load(connection, known.number)
            parted = _parted(finding, mine, lambda: load_open(connection), table)
            if parted is not None:
                return parted
        if known.severity > Severity.CLEAR or finding.severity is Severity.CLEAR:
            return Plan(_heard(known.severity, finding.severity), known.number)
        placement = correlation.place(finding, load_open(connection), table)
        if placement.number == known.number:
            return Plan(_heard(known.severity, finding.severity), known.number)
        if not placement.number and not finding.opens:
            return Plan(Change.NOTHING)  # a mere warning, whose old incident does not explain it
        change = Change.ATTACHED if placement.number else Change.OPENED
        return Plan(change, placement.number, placement, moves=True)
    past = records.past(connection, str(finding.fingerprint))
    if finding.severity is Severity.CLEAR:
        return Plan(Change.NOTHING, release=past is not None and past.held > Severity.CLEAR)
    if past is not None and finding.severity <= past.held:
        return Plan(Change.NOTHING)  # a person has said that this is not a disruption
    placement = correlation.place(finding, load_open(connection), table)
    if placement.number:
        change = Change.OBSERVED if placement.known else Change.ATTACHED
        return Plan(change, placement.number, placement)
    if finding.opens:
        return Plan(Change.OPENED, previous=past.number if past else "")
    return Plan(Change.NOTHING)


def _parted(
    finding: Finding, mine: Incident, load_open: Callable[[], Iterable[Incident]], table: Table
) -> Plan | None:
    """Where a symptom goes that outlasts its cause; None: it stays where it is, as it was.

    The other incidents are loaded only then: this is asked at every reading of what stands.
    """
    if correlation.turned(finding, mine, table):
        return Plan(Change.OBSERVED, mine.number)
    if not correlation.outlasts(finding, mine, table):
        return None
    rest = [each for each in load_open() if each.number != mine.number]
    placement = correlation.place(finding, rest, table)
    change = Change.ATTACHED if placement.number else Change.OPENED
    return Plan(change, placement.number, placement, leaves=mine.number)


def _heard(before: Severity, now: Severity) -> Change:
    if before is now:
        return Change.NOTHING
    return Change.CLEARED if now is Severity.CLEAR else Change.OBSERVED


def stated(finding: Finding, change: Change, placement: Placement) -> tuple[EventKind, JSON]:
    """The event that a plan writes into an incident that is open already."""
    match change:
        case Change.ATTACHED:
            return EventKind.ATTACHED, payloads.attached(
                finding, root=placement.root, because=placement.because
            )
        case Change.OBSERVED:
            return EventKind.OBSERVED, payloads.observed(finding)
        case Change.CLEARED:
            return EventKind.CLEARED, payloads.cleared(finding)
        case _:
            raise ValueError(f"{change} writes nothing into an open incident")


def stated_again(trouble: Trouble, now: datetime) -> Finding:
    """A trouble of a closed duplicate as the finding it came from."""
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
