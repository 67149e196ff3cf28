"""Decides what a reported finding changes, from the store, before anything is written.

The same verdict may be reported at every reading, so usually nothing changes. The decision is made
once without a lock and, if something changes, again with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from incidents.correlation.match import Drawn, Match, Parting, drawn_in, match, parting
from incidents.correlation.table import Table
from incidents.model import Change, Incident, Reported
from incidents.records.repository import Situation
from incidents.records.summaries import ClosedFinding, OpenFinding
from incidents.workflow.fold import taken_at
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
    draws: tuple[Drawn, ...] = ()  # what a new incident takes over from others

    @property
    def writes(self) -> bool:
        """Whether anything is to be written."""
        return self.release or self.change is not Change.NOTHING

    @property
    def reported(self) -> Reported:
        """The answer to whoever reported a finding that changes nothing."""
        return Reported(self.change, self.number)


_NOTHING = Placement(Change.NOTHING)


def place(finding: Finding, seen: Situation, table: Table) -> Placement:
    """Decide about one finding. Pure: nothing is read and nothing is written."""
    if seen.known is not None:
        placement = _of_known(finding, seen.known, seen.incidents, table)
    else:
        placement = _of_new(finding, seen.past, seen.incidents, table)
    if placement.change is not Change.OPENED:
        return placement
    draws = drawn_in(finding, seen.incidents, table, left=placement.leaves)
    return replace(placement, draws=tuple(draws))


def _of_known(
    finding: Finding, known: OpenFinding, incidents: Sequence[Incident], table: Table
) -> Placement:
    """A finding that an open incident holds."""
    red = known.severity > Severity.CLEAR
    if red and finding.opens:
        parted = _parted(finding, known.number, incidents, table)
        if parted is not None:
            return parted
    if red and _newer_evidence(finding, known.number, incidents):
        return Placement(Change.OBSERVED, known.number)
    if red or finding.severity is Severity.CLEAR:
        return _stays(finding, known)
    found = match(finding, incidents, table)
    if found.number == known.number:
        return _stays(finding, known)
    if not found.number and not finding.opens:
        return _NOTHING  # a mere warning, whose old incident does not explain it
    return Placement(_change(found), found.number, found, moves=True)


def _newer_evidence(finding: Finding, number: str, incidents: Sequence[Incident]) -> bool:
    """Whether a standing finding brings evidence that its incident does not have yet."""
    shown = finding.evidence
    if shown is None or finding.severity is Severity.CLEAR:
        return False
    return any(
        trouble.evidence is None or taken_at(trouble.evidence) < shown.taken_at
        for incident in incidents
        if incident.number == number
        for trouble in incident.troubles
        if trouble.fingerprint == str(finding.fingerprint)
    )


def _of_new(
    finding: Finding, past: ClosedFinding | None, incidents: Sequence[Incident], table: Table
) -> Placement:
    """A finding that no open incident has."""
    held = past.held if past else Severity.CLEAR
    if finding.severity is Severity.CLEAR:
        return Placement(Change.NOTHING, release=held > Severity.CLEAR)
    if finding.severity <= held:
        return _NOTHING  # a person has said that this is not a disruption
    found = match(finding, incidents, table)
    if found.number:
        return Placement(_change(found), found.number, found)
    if finding.opens:
        return Placement(Change.OPENED, previous=past.number if past else "")
    return _NOTHING


def _parted(
    finding: Finding, number: str, incidents: Sequence[Incident], table: Table
) -> Placement | None:
    """Where a symptom goes that outlasts its cause; None: it stays where it is, as it was."""
    mine = next((each for each in incidents if each.number == number), None)
    part = Parting.STAYS if mine is None else parting(finding, mine, table)
    if part is not Parting.LEAVES:
        return Placement(Change.OBSERVED, number) if part is Parting.TURNED else None
    others = [each for each in incidents if each.number != number]
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
