"""Decides what a reported finding changes, from the store, before anything is written.

The same verdict may be reported at every reading, so usually nothing changes. The decision is made
once without a lock and, if something changes, again with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from incidents.correlation.match import Match, match, may_part, outlasts, turned
from incidents.correlation.table import Table
from incidents.model import Change, Reported
from incidents.queries import Snapshot
from incidents.records.summaries import ClosedFinding, OpenFinding
from probes import Finding, Severity

_ALONE = Match()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a finding goes and what is written about it."""

    change: Change
    number: str = ""  # of the incident concerned; "" for one that is still to be opened
    match: Match = _ALONE
    previous: str = ""  # the closed incident of the same finding, when a new one opens
    release: bool = False  # it was held back and is clear: it counts again
    moves: bool = False  # a cleared symptom of one incident is the next fault, or part of it
    leaves: str = ""  # the incident that a symptom leaves because it outlasts its cause

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.release or self.change is not Change.NOTHING

    @property
    def reported(self) -> Reported:
        """The answer to whoever reported a finding that changes nothing."""
        return Reported(self.change, self.number)


_NOTHING = Placement(Change.NOTHING)


def place(finding: Finding, seen: Snapshot, table: Table) -> Placement:
    """Decide about one finding; reads only."""
    known, past = seen.history(str(finding.fingerprint))
    if known is not None:
        return _of_known(finding, known, seen, table)
    if finding.severity is Severity.CLEAR:
        held_back = past is not None and past.held > Severity.CLEAR
        return Placement(Change.NOTHING, release=held_back)
    return _of_new(finding, past, seen, table)


def _of_known(finding: Finding, known: OpenFinding, seen: Snapshot, table: Table) -> Placement:
    """A finding that an open incident holds."""
    red = known.severity > Severity.CLEAR
    if red and finding.opens and may_part(finding, table):
        parted = _parted(finding, known.number, seen, table)
        if parted is not None:
            return parted
    if red or finding.severity is Severity.CLEAR:
        return _stays(finding, known)
    found = match(finding, seen.open_incidents(), table)
    if found.number == known.number:
        return _stays(finding, known)
    if not found.number and not finding.opens:
        return _NOTHING  # a mere warning, whose old incident does not explain it
    return Placement(_change(found), found.number, found, moves=True)


def _of_new(
    finding: Finding, past: ClosedFinding | None, seen: Snapshot, table: Table
) -> Placement:
    """A bad finding that no open incident has."""
    if past is not None and finding.severity <= past.held:
        return _NOTHING  # a person has said that this is not a disruption
    found = match(finding, seen.open_incidents(), table)
    if found.number:
        return Placement(_change(found), found.number, found)
    if finding.opens:
        return Placement(Change.OPENED, previous=past.number if past else "")
    return _NOTHING


def _parted(finding: Finding, number: str, seen: Snapshot, table: Table) -> Placement | None:
    """Where a symptom goes that outlasts its cause; None: it stays.

    The other incidents are loaded only then, because this runs at every reading of an open finding.
    """
    mine = seen.incident(number)
    if turned(finding, mine, table):
        return Placement(Change.OBSERVED, number)
    if not outlasts(finding, mine, table):
        return None
    others = [each for each in seen.open_incidents() if each.number != number]
    found = match(finding, others, table)
    return Placement(_change(found), found.number, found, leaves=number)


def _change(found: Match) -> Change:
    if not found.number:
        return Change.OPENED
    return Change.OBSERVED if found.known else Change.ATTACHED


def _stays(finding: Finding, known: OpenFinding) -> Placement:
    if known.severity is finding.severity:
        return Placement(Change.NOTHING, known.number)
    clear = finding.severity is Severity.CLEAR
    return Placement(Change.CLEARED if clear else Change.OBSERVED, known.number)
