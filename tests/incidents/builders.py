"""Findings, people, forms and a small ledger for tests without a store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from incidents.calendar import load as calendar
from incidents.calendar.load import Calendar
from incidents.ledger import payloads
from incidents.model import (
    Assignment,
    Basis,
    Decision,
    Event,
    EventKind,
    Incident,
    Outcome,
    Person,
    Signer,
)
from incidents.procedure import load as procedure
from incidents.procedure.load import Field, FieldKind
from incidents.workflow import actions, fold, permissions
from probes import Finding, Severity
from tests.support.words import both

PROCEDURE = procedure.load("kaltim")
CALENDAR = calendar.load("kaltim")
ZONE = CALENDAR.zone


def is_working(cal: Calendar, moment: datetime) -> bool:
    """Whether the microsecond that begins at ``moment`` counts as working time."""
    return cal.between(moment, moment + timedelta(microseconds=1)) > 0


def at(text: str) -> datetime:
    """A moment of the office's clock: "2026-07-02 14:05"."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def signer(username: str, *roles: str, basis: Basis = Basis.DEFINITIVE) -> Signer:
    return assigned(username, *(Assignment(username, role, basis) for role in roles))


def assigned(username: str, *assignments: Assignment) -> Signer:
    person = Person(username, f"Nama {username.title()}", nip="19800101", position="Jabatan")
    return Signer(person, assignments)


def until(username: str, role: str, first: date | None, last: date | None) -> Signer:
    return assigned(username, Assignment(username, role, valid_from=first, valid_to=last))


STAFF: Mapping[str, Signer] = {
    "PP": signer("putri", "PP"),
    "AJ": signer("anwar", "AJ"),
    "PW": signer("wati", "PW"),
    "PA": signer("arif", "PA"),
    "KD": signer("kadis", "KD"),
}


def finding(
    target: str = "simpeg-primary",
    measure: str = "up",
    subject: str = "",
    family: str = "availability",
    severity: Severity = Severity.CRITICAL,
    when: datetime | None = None,
    since: datetime | None = None,
    **about: str,
) -> Finding:
    when = when or at("2026-07-02 09:00")
    return Finding(
        target=target,
        probe="probe",
        measure=measure,
        subject=subject,
        severity=severity,
        title=both(f"{target} {measure} bermasalah", f"trouble with {measure} of {target}"),
        hint=both("petunjuk", "hint"),
        family=family,
        at=when,
        since=since or when,
        about={"cluster": "simpeg", **about},
    )


def answer(field: Field) -> Any:
    """An answer the field accepts."""
    match field.kind:
        case FieldKind.TEXT | FieldKind.PARAGRAPH:
            return f"isi {field.name}"
        case FieldKind.CHOICE:
            return field.options[0].value
        case FieldKind.YESNO:
            return True
        case FieldKind.DATETIME:
            return "2026-07-02T10:00+08:00"
        case FieldKind.PEOPLE:
            return ["anwar"]
        case FieldKind.NUMBER:
            return 1


def form(step: int, decision: Decision = Decision.APPROVE, **changes: Any) -> dict[str, Any]:
    """The form of a step with every field filled in that could be asked for; None leaves out."""
    filled = {field.name: answer(field) for field in PROCEDURE.step(step).form}
    return {key: value for key, value in {**filled, **changes}.items() if value is not None}


class Case:
    """One incident: actions are checked, written as events and folded at once."""

    def __init__(self, opened_at: datetime, first: Finding | None = None) -> None:
        self.events: list[Event] = []
        found = first or finding(when=opened_at)
        payload = payloads.opened(
            found, procedure=PROCEDURE.hash, calendar=CALENDAR.hash, first_step=PROCEDURE.first
        )
        self.incident = self._write(None, EventKind.OPENED, opened_at, "sigap", payload)

    def _write(
        self,
        before: Incident | None,
        kind: EventKind,
        when: datetime,
        actor: str,
        payload: Mapping[str, Any],
    ) -> Incident:
        number = len(self.events) + 1
        event = Event(number, "GDB-2026-0001", kind, when, actor, payload, hash=f"h{number}")
        after = fold.apply(before, event, PROCEDURE)
        self.events.append(event)
        return after

    def write(
        self, kind: EventKind, when: datetime, actor: str, payload: Mapping[str, Any]
    ) -> None:
        self.incident = self._write(self.incident, kind, when, actor, payload)

    def check_permission(
        self, action: actions.Action, who: Signer, when: datetime
    ) -> actions.Refusal | None:
        return permissions.check_permission(self.incident, action, who, PROCEDURE, when, ZONE)

    def act(self, action: actions.Action, who: Signer, when: datetime) -> actions.Refusal | None:
        """Judge and, if allowed, write: what the desk does."""
        refused = self.check_permission(action, who, when)
        if refused is None:
            kind, payload = self._payload(action, who, when)
            self.write(kind, when, who.person.username, payload)
        return refused

    def _payload(
        self, action: actions.Action, who: Signer, when: datetime
    ) -> tuple[EventKind, Mapping[str, Any]]:
        step = PROCEDURE.step(self.incident.step)
        role = permissions.held(who, step.role, when.astimezone(ZONE).date())
        match action:
            case actions.Sign():
                assert role is not None
                return EventKind.SIGNED, payloads.signed(
                    step.number,
                    action.decision,
                    action.form,
                    person=who.person,
                    assignment=role,
                    document_id=f"d{len(self.events)}",
                    red=self.incident.red,
                )
            case actions.Claim():
                assert role is not None
                return EventKind.CLAIMED, payloads.claimed(step.number, who.person, role)
            case actions.Dismiss():
                assert role is not None
                return EventKind.DISMISSED, payloads.dismissed(
                    step.number,
                    action.outcome,
                    action.reason,
                    person=who.person,
                    assignment=role,
                    document_id="d",
                    duplicate_of=action.duplicate_of,
                )
            case actions.AddNote():
                return EventKind.NOTED, payloads.noted(action.text)
            case actions.Dispense():
                return EventKind.DISPENSED, payloads.dispensed(
                    action.step, action.username, action.reason
                )

    def sign(
        self,
        when: datetime,
        decision: Decision = Decision.APPROVE,
        who: Signer | None = None,
        **changes: Any,
    ) -> actions.Refusal | None:
        """Sign the waiting step with a full form, by the member of staff whose turn it is."""
        step = self.incident.step
        signs = who or STAFF[PROCEDURE.step(step).role]
        action = actions.Sign(
            step, decision, form(step, decision, **changes), self.incident.version
        )
        return self.act(action, signs, when)

    def to(self, step: int, when: datetime) -> Case:
        """Sign on, all at one moment, until ``step`` waits."""
        while self.incident.step != step:
            assert self.sign(when) is None
        return self

    def dismiss(self, when: datetime, outcome: Outcome, reason: str = "keliru") -> Any:
        other = "GDB-2026-0007" if outcome is Outcome.DUPLICATE else ""
        action = actions.Dismiss(outcome, reason, self.incident.version, other)
        return self.act(action, STAFF["PA"], when)

    def clear(self, when: datetime) -> None:
        """The probe reports that the first finding is clear."""
        gone = finding(severity=Severity.CLEAR, when=when)
        self.write(EventKind.CLEARED, when, "sigap", payloads.cleared(gone))


MORNING = at("2026-07-02 09:00")


def green(step: int = 1) -> Case:
    """A case whose probe has cleared, waiting at ``step``."""
    case = Case(MORNING).to(step, MORNING)
    case.clear(MORNING)
    return case
