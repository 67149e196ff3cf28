"""Whether a person may act on an incident now; if not, why, in one sentence.

The first check that fails is reported: closed; wrong step or stale version; wrong role today;
separation of duties; form incomplete; unknown field; decision not allowed; no reason given while a
probe still reports the fault. Source: SOP sections B and G, and the roles' rights in the procedure
file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from incidents.model import Assignment, Decision, Incident, Outcome, Signer
from incidents.procedure import forms, limits
from incidents.procedure.load import Procedure, Step
from incidents.workflow.actions import (
    Action,
    AddNote,
    Claim,
    Dismiss,
    Dispense,
    Refusal,
    RefusalKind,
    Sign,
)
from probes import Text
from probes.i18n.formats import listed, on_day


def check_permission(
    incident: Incident,
    action: Action,
    signer: Signer,
    procedure: Procedure,
    now: datetime,
    zone: ZoneInfo,
    holders: Mapping[str, Collection[str]] | None = None,
) -> Refusal | None:
    """Why ``signer`` may not do ``action`` now; None when they may.

    ``signer.assignments`` may contain past and future assignments; the one valid on the date of
    ``now`` in ``zone`` is used. ``holders`` (role -> usernames valid today) is for checking people
    fields.
    """
    today = now.astimezone(zone).date()
    if not incident.open:
        return _closed(incident)
    match action:
        case Sign():
            step = procedure.step(incident.step)
            return (
                _stale(incident, procedure, action.version, action.step)
                or _wrong_role(step.role, _signs(step), signer, procedure, today)
                or _not_separate(incident, step, signer, procedure)
                or _bad_form(incident, step, action, holders)
            )
        case Claim():
            step = procedure.step(incident.step)
            return (
                _stale(incident, procedure, action.version)
                or _wrong_role(step.role, _signs(step), signer, procedure, today)
                or _not_separate(incident, step, signer, procedure)
                or _claimed_already(incident, signer)
            )
        case Dismiss():
            return _bad_dismissal(incident, action, signer, procedure, today)
        case Dispense():
            return _bad_dispensation(incident, action, signer, procedure, today)
        case AddNote():
            return _bad_note(action, signer, procedure, today)


@dataclass(frozen=True, slots=True)
class Permissions:
    """Why a person may not do each thing now, whatever the form says; None where they may."""

    sign: Refusal | None
    claim: Refusal | None
    dismiss: Refusal | None
    dispense: Refusal | None


def permissions(
    incident: Incident,
    signer: Signer,
    procedure: Procedure,
    now: datetime,
    zone: ZoneInfo,
    holders: Mapping[str, Collection[str]] | None = None,
) -> Permissions:
    """What a page offers: ``check_permission`` of each action with its form still empty."""

    def check(action: Action) -> Refusal | None:
        refused = check_permission(incident, action, signer, procedure, now, zone, holders)
        return None if refused is None or refused.kind in _ABOUT_THE_FORM else refused

    version, step = incident.version, incident.step
    return Permissions(
        sign=check(Sign(step, Decision.APPROVE, {}, version)),
        claim=check(Claim(version)),
        dismiss=check(Dismiss(_dismissal(procedure), "", version)),
        dispense=check(Dispense(step, "", "", version)),
    )


_ABOUT_THE_FORM = frozenset({RefusalKind.FORM, RefusalKind.RED})
"""An empty form is no reason not to show it."""


def _dismissal(procedure: Procedure) -> Outcome:
    allowed = procedure.dismissal.outcomes if procedure.dismissal else ()
    return next(iter(allowed), Outcome.NOT_A_DISRUPTION)


def held(signer: Signer, role: str, on: date) -> Assignment | None:
    """The assignment by which ``signer`` holds ``role`` on that day, the definitive one first."""
    valid = tuple(each for each in signer.assignments if each.valid(on))
    return Signer(signer.person, valid).holds(role)


def _signs(step: Step) -> Text:
    return Text("Step {number} is signed by", number=step.number)


def _closed(incident: Incident) -> Refusal:
    return Refusal(
        RefusalKind.CLOSED,
        Text(
            "Incident {number} is closed; nothing about it can be changed any more.",
            number=incident.number,
        ),
    )


def _stale(
    incident: Incident, procedure: Procedure, version: int, step: int | None = None
) -> Refusal | None:
    if step is not None and step != incident.step:
        waiting = procedure.step(incident.step)
        return Refusal(
            RefusalKind.STALE,
            Text(
                "Step {asked} does not wait for a signature; step {number} does ({title}). "
                "{who}Reload this page.",
                asked=step,
                number=waiting.number,
                title=waiting.title,
                who=_last_signed(incident),
            ),
        )
    if version == incident.version:
        return None
    return Refusal(
        RefusalKind.STALE,
        Text(
            "Somebody acted while you were reading. {who}Reload this page and look again.",
            who=_last_signed(incident),
        ),
    )


def _last_signed(incident: Incident) -> Text:
    signed = [visit for visit in incident.visits if visit.signoff is not None]
    if not signed or signed[-1].signoff is None:
        return Text("")
    name, step = signed[-1].signoff.name, signed[-1].step
    return Text("Last, {name} signed step {step}. ", name=name, step=step)


def _wrong_role(
    role: str, what: Text, signer: Signer, procedure: Procedure, today: date
) -> Refusal | None:
    if held(signer, role, today) is not None:
        return None
    mine = [each for each in signer.assignments if each.role == role]
    ended = [each.valid_to for each in mine if each.valid_to and each.valid_to < today]
    begins = [each.valid_from for each in mine if each.valid_from and each.valid_from > today]
    if begins:
        why = Text("your assignment to that role begins on {day}.", day=on_day(min(begins)))
    elif ended:
        why = Text("your assignment to that role ended on {day}.", day=on_day(max(ended)))
    else:
        why = Text("today you do not hold that role.")
    return Refusal(
        RefusalKind.ROLE,
        Text(
            "{what} {role} ({key}); {why}",
            what=what,
            role=procedure.role(role).title,
            key=role,
            why=why,
        ),
    )


def _not_separate(
    incident: Incident, step: Step, signer: Signer, procedure: Procedure
) -> Refusal | None:
    username = signer.person.username
    signed = sorted(
        {
            visit.step
            for visit in incident.visits
            if visit.step in step.not_signed_by
            and visit.signoff is not None
            and visit.signoff.username == username
        }
    )
    if not signed or any(
        each.username == username and each.step == step.number for each in incident.dispensations
    ):
        return None
    name = signer.person.name
    if procedure.dispenser is None:
        said = Text(
            "{name} has signed step {steps}, so somebody else must sign step {number}.",
            name=name,
            steps=_all_of(signed),
            number=step.number,
        )
        return Refusal(RefusalKind.SEPARATION, said)
    return Refusal(
        RefusalKind.SEPARATION,
        Text(
            "{name} has signed step {steps}, so somebody else must sign step "
            "{number}, unless the {head} grants a dispensation.",
            name=name,
            steps=_all_of(signed),
            number=step.number,
            head=procedure.dispenser.title,
        ),
    )


def _all_of(steps: Sequence[int]) -> Text:
    """ "2", "2 and 3"."""
    said = Text.verbatim(steps[0])
    for step in steps[1:]:
        said = Text("{first} and {second}", first=said, second=step)
    return said


def _bad_form(
    incident: Incident,
    step: Step,
    action: Sign,
    holders: Mapping[str, Collection[str]] | None,
) -> Refusal | None:
    """Incomplete, malformed, unknown fields, then the decision, then red without a reason."""
    problems = forms.field_problems(step, action.decision, action.form, incident, holders)
    lacking = forms.missing(step, action.decision, action.form, incident.red)
    because_red = [each for each in lacking if each.required_when and each.required_when.red]
    ordinary = [each for each in lacking if each not in because_red]
    if ordinary:
        reason = Text("Fill in: {labels}.", labels=listed([each.label for each in ordinary]))
        return Refusal(RefusalKind.FORM, reason, problems)
    wrong = forms.malformed(step, action.form, holders)
    if wrong:
        sentences = list(wrong.values())
        reason = Text.joined(" ", sentences)
        return Refusal(RefusalKind.FORM, reason, problems)
    strange = forms.unknown(step, action.form)
    if strange:
        names = ", ".join(strange)
        return Refusal(
            RefusalKind.FORM,
            Text(
                "The form of step {number} has no such field: {names}.",
                number=step.number,
                names=names,
            ),
            problems,
        )
    if action.decision not in step.decisions:
        return Refusal(
            RefusalKind.DECISION,
            Text("Step {number} cannot be returned; it can only be approved.", number=step.number),
        )
    if because_red:
        return Refusal(
            RefusalKind.RED,
            Text(
                "Monitoring still reports trouble. Fill in: {labels}.",
                labels=listed([each.label for each in because_red]),
            ),
            problems,
        )
    return None


def _claimed_already(incident: Incident, signer: Signer) -> Refusal | None:
    visit = incident.visit
    if visit is None or visit.claimed_by != signer.person.username:
        return None
    return Refusal(
        RefusalKind.STALE,
        Text("You have taken this step already; go on by signing it."),
    )


def _bad_dismissal(
    incident: Incident, action: Dismiss, signer: Signer, procedure: Procedure, today: date
) -> Refusal | None:
    stale = _stale(incident, procedure, action.version)
    if stale is not None:
        return stale
    allowed = procedure.dismissal
    if allowed is None:
        said = Text("Under this procedure a report cannot be closed without repair.")
        return Refusal(RefusalKind.DECISION, said)
    if incident.step != allowed.step or action.outcome not in allowed.outcomes:
        return Refusal(
            RefusalKind.DECISION,
            Text(
                "A report can be closed as not a disruption or a duplicate only at "
                "step {where}; this is step {step}.",
                where=allowed.step,
                step=incident.step,
            ),
        )
    step = procedure.step(allowed.step)
    wrong = _wrong_role(step.role, _signs(step), signer, procedure, today)
    if wrong is not None:
        return wrong
    problems = _reason_problem(action.reason)
    other = action.duplicate_of.strip()
    if action.outcome is Outcome.DUPLICATE and other in ("", incident.number):
        problems["duplicate_of"] = Text(
            "Name the number of the other incident that this one repeats."
        )
    elif action.outcome is not Outcome.DUPLICATE and other:
        problems["duplicate_of"] = Text(
            "Leave the number of the other incident empty, or close this one as its duplicate."
        )
    return _form_refusal(problems)


def _bad_dispensation(
    incident: Incident, action: Dispense, signer: Signer, procedure: Procedure, today: date
) -> Refusal | None:
    if procedure.dispenser is None:
        said = Text("This procedure has no dispensations.")
        return Refusal(RefusalKind.DECISION, said)
    what = Text("A dispensation is granted by")
    refused = _stale(incident, procedure, action.version) or _wrong_role(
        procedure.dispenser.key, what, signer, procedure, today
    )
    if refused is not None:
        return refused
    if action.username == signer.person.username:
        return Refusal(
            RefusalKind.SEPARATION,
            Text("Nobody can grant a dispensation to themselves."),
        )
    problems = _reason_problem(action.reason)
    if not action.username.strip():
        problems["username"] = Text("Choose the person.")
    ruled = [step.number for step in procedure.steps if step.not_signed_by]
    if action.step not in ruled:
        steps = ", ".join(map(str, ruled))
        problems["step"] = Text("Dispensations exist only for steps {steps}.", steps=steps)
    return _form_refusal(problems)


def _bad_note(action: AddNote, signer: Signer, procedure: Procedure, today: date) -> Refusal | None:
    if all(held(signer, role.key, today) is None for role in procedure.roles):
        return Refusal(
            RefusalKind.ROLE,
            Text("Only people who hold a role today can write notes; you hold none."),
        )
    problem = _paragraph_problem(action.text, Text("the note"))
    return _form_refusal({} if problem is None else {"text": problem})


def _reason_problem(reason: str) -> dict[str, Text]:
    problem = _paragraph_problem(reason, Text("the reason"))
    return {} if problem is None else {"reason": problem}


def _paragraph_problem(text: str, what: Text) -> Text | None:
    if not text.strip():
        return Text("Fill in {what}.", what=what)
    most = limits.PARAGRAPH
    if len(text) > most or forms.unreadable(text):
        return Text(
            "Shorten {what} (at most {most} characters, no control characters).",
            what=what,
            most=most,
        )
    return None


def _form_refusal(problems: Mapping[str, Text]) -> Refusal | None:
    if not problems:
        return None
    sentences = list(problems.values())
    reason = Text.joined(" ", sentences)
    return Refusal(RefusalKind.FORM, reason, problems)
