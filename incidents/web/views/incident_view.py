"""Collects everything the page of one incident shows.

``may`` uses the same check that guards the change, so that a button that is shown works and one
that is not has a reason. An empty form is no reason to hide a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from incidents.calendar.load import Calendar
from incidents.documents.model import Document
from incidents.model import Decision, Incident, Outcome, SignOff, Trouble, Visit
from incidents.procedure.load import Procedure, Step
from incidents.procedure.sla import Clocks
from incidents.records.timeline import TimelineEntry
from incidents.web.access.auth import Member
from incidents.web.rendering import Site
from incidents.web.views.target_health import Standing, standing
from incidents.workflow import actions, permissions
from incidents.workflow.actions import Action, Refusal, RefusalKind
from probes import Severity, Text

_ABOUT_THE_FORM = frozenset({RefusalKind.FORM, RefusalKind.RED, RefusalKind.DECISION})


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
    clocks: Clocks
    timeline: tuple[TimelineEntry, ...]
    documents: tuple[Document, ...]
    holders: dict[str, dict[str, str]]  # role -> username -> name
    standing: Mapping[str, Standing] = field(default_factory=dict)  # by fingerprint, as read now

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
        """The finding in the heading: the root, unless only a symptom is left."""
        ranked = sorted(self.incident.troubles, key=lambda each: (not each.severity, not each.root))
        return ranked[0] if ranked else None

    @property
    def healed_at(self) -> datetime | None:
        """When the last of its findings cleared; None while one is open, or if there are none."""
        troubles = self.incident.troubles
        if not troubles or self.incident.red:
            return None
        return max(trouble.cleared_at or trouble.last_at for trouble in troubles)

    def stated(self, trouble: Trouble) -> Standing:
        """The newest figures of a trouble: as watched now, else as last written down."""
        now = self.standing.get(trouble.fingerprint)
        if now is not None and trouble.severity > Severity.CLEAR:
            return now
        return Standing(trouble.title, trouble.hint, trouble.last_at)

    def name_of(self, username: str) -> str:
        """A person's printed name as far as this page knows it."""
        for people in self.holders.values():
            if username in people:
                return people[username]
        return username

    def on_turn(self) -> tuple[str, ...]:
        """Who holds the role whose turn it is today."""
        return tuple(self.holders.get(self.step.role, {}).values())


def open_case(site: Site, number: str, member: Member) -> Case:
    """Read one incident; raises ``NoSuchIncident``."""
    desk = site.desk
    procedure = site.procedure_of(number)
    incident = desk.incident(number)
    names = {trouble.target for trouble in incident.troubles}
    return Case(
        incident=incident,
        procedure=procedure,
        calendar=desk.calendar(number),
        clocks=desk.clocks(number, member.now),
        timeline=desk.timeline(number),
        documents=desk.documents(number),
        holders=site.holders(procedure, member.now),
        standing=standing(each for each in site.targets() if each.name in names),
    )


def refusal_of(case: Case, action: Action, member: Member) -> Refusal | None:
    """Why this person may not do this now."""
    return permissions.check_permission(
        case.incident,
        action,
        member.signer,
        case.procedure,
        member.now,
        case.calendar.zone,
        {role: tuple(people) for role, people in case.holders.items()},
    )


def may(case: Case, action: Action, member: Member) -> Text | None:
    """Why the form for ``action`` is not offered; None where it is."""
    refused = refusal_of(case, action, member)
    if refused is None or refused.kind in _ABOUT_THE_FORM:
        return None
    return refused.reason


def sign_refusal(case: Case, member: Member) -> Text | None:
    """Why this person may not sign the waiting step."""
    action = actions.Sign(case.incident.step, Decision.APPROVE, {}, case.incident.version)
    return may(case, action, member)


def may_claim(case: Case, member: Member) -> bool:
    """Whether "I am on it" is offered."""
    return may(case, actions.Claim(case.incident.version), member) is None


def may_dismiss(case: Case, member: Member) -> bool:
    """Whether closing as "not a disruption" is offered."""
    rule = case.procedure.dismissal
    if rule is None or rule.step != case.incident.step or not case.incident.open:
        return False
    action = actions.Dismiss(Outcome.NOT_A_DISRUPTION, "", case.incident.version)
    return may(case, action, member) is None


def may_dispense(case: Case, member: Member) -> bool:
    """Whether this person may grant a dispensation from the separation of duties."""
    dispenser = case.procedure.dispenser
    return case.incident.open and dispenser is not None and bool(member.signer.holds(dispenser.key))
