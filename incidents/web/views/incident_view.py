"""Collects everything the page of one incident shows.

``may`` uses the same check that guards the change, so that a button that is shown works and one
that is not has a reason. An empty form is no reason to hide a form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidents.calendar.load import Calendar
from incidents.documents.model import Document
from incidents.model import Decision, Incident, SignOff, Trouble, Visit
from incidents.procedure.load import Procedure, Step
from incidents.procedure.sla import SlaClocks
from incidents.queries import IncidentDetails
from incidents.records.timeline import TimelineEntry
from incidents.web.display.target_health import PresentVerdict, TargetHealth, standing
from incidents.workflow.permissions import Permissions
from probes import Severity, Text


@dataclass(frozen=True, slots=True)
class Stage:
    """A step as the strip shows it."""

    step: Step
    state: str  # done | here | returned | ahead
    visits: int
    last: SignOff | None


@dataclass(frozen=True, slots=True)
class Case:
    """One incident with all that its page needs."""

    incident: Incident
    procedure: Procedure
    calendar: Calendar
    clocks: SlaClocks
    timeline: tuple[TimelineEntry, ...]
    documents: tuple[Document, ...]
    holders: Mapping[str, Mapping[str, str]]  # role -> username -> name, of today
    names: Mapping[str, str]  # username -> name, of everybody
    may: Permissions  # what the reader may do
    standing: Mapping[str, PresentVerdict] = field(
        default_factory=dict
    )  # by fingerprint, as read now

    @property
    def refusal(self) -> Text | None:
        """Why the reader may not sign the waiting step; None where they may."""
        return None if self.may.sign is None else self.may.sign.reason

    @property
    def step(self) -> Step:
        """The step that waits (the last one once closed)."""
        return self.procedure.step(self.incident.step)

    @property
    def visit(self) -> Visit | None:
        return self.incident.visit

    def just_signed(self, username: str) -> int:
        """The step whose signature is the newest, if it is this person's; else 0."""
        newest = next((v for v in reversed(self.incident.visits) if v.signoff is not None), None)
        if newest is None or newest.signoff is None or newest.signoff.username != username:
            return 0
        return newest.step

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The whole procedure with what happened at each step."""
        return tuple(self._stage(step) for step in self.procedure.steps)

    def _stage(self, step: Step) -> Stage:
        visits = [visit for visit in self.incident.visits if visit.step == step.number]
        signed = [visit.signoff for visit in visits if visit.signoff is not None]
        last = signed[-1] if signed else None
        if self.incident.open and self.incident.step == step.number:
            state = "here"
        elif last is None:
            state = "ahead"
        else:
            state = "returned" if last.decision is Decision.RETURN else "done"
        return Stage(step, state, len(visits), last)

    @property
    def told(self) -> Trouble | None:
        """The trouble the headline speaks of: the root, unless only a symptom is left."""
        ranked = sorted(self.incident.troubles, key=lambda each: (not each.severity, not each.root))
        return ranked[0] if ranked else None

    @property
    def healed_at(self) -> datetime | None:
        """When the last of its troubles cleared; None while one stands, or none was watched."""
        troubles = self.incident.troubles
        if not troubles or self.incident.red:
            return None
        return max(trouble.cleared_at or trouble.last_at for trouble in troubles)

    def stated(self, trouble: Trouble) -> PresentVerdict:
        """The newest figures of a finding: as measured now, else as last recorded."""
        now = self.standing.get(trouble.fingerprint)
        if now is not None and trouble.severity > Severity.CLEAR:
            return now
        return PresentVerdict(trouble.title, trouble.hint, trouble.last_at)

    def name_of(self, username: str) -> str:
        """A person's printed name."""
        return self.names.get(username, username)

    def on_turn(self) -> tuple[str, ...]:
        """Who holds the role whose turn it is today."""
        return tuple(self.holders.get(self.step.role, {}).values())


def case_of(details: IncidentDetails, targets: Iterable[TargetHealth] = ()) -> Case:
    """What was read of an incident, with what the probes say of its servers now."""
    names = {trouble.target for trouble in details.incident.troubles}
    return Case(
        incident=details.incident,
        procedure=details.procedure,
        calendar=details.calendar,
        clocks=details.clocks,
        timeline=details.timeline,
        documents=details.documents,
        holders=details.holders,
        names=details.names,
        may=details.may,
        standing=standing(each for each in targets if each.name in names),
    )
