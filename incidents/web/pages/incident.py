"""Incident page: what happened, whose turn it is, and every action a person may take.

A refused action shows the same page with what was typed; an outdated one shows what changed first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from incidents.model import Decision, Outcome
from incidents.procedure.load import Field
from incidents.web import actions as act
from incidents.web.access.auth import Here, Looking, Member, Posted, Posting, text_of
from incidents.web.access.problem import RequestError
from incidents.web.display.formatting import Sayer
from incidents.web.rendering import Site
from incidents.web.views.form_values import posted_form, shown
from incidents.web.views.incident_view import Case, case_of
from incidents.web.views.prefill import prefilled, source_words
from incidents.workflow import actions
from probes import Text

router = APIRouter()

UNREADABLE = Text("This form did not arrive whole; reload the incident's page and try again.")


@router.get("/incidents/{number}")
def show(
    request: Request, site: Here, look: Looking, number: str, signed: int | None = None
) -> Response:
    """The page itself; ``signed``: the step whose signature has just led here."""
    with look() as (seen, member):
        details = seen.details(number, member.signer, member.now)
    return page(request, site, member, case_of(details, site.targets()), signed=signed)


def _read(site: Site, number: str, member: Member) -> Case:
    """The incident as it stands after a form was sent."""
    return case_of(site.desk.queries.details(number, member.signer, member.now), site.targets())


def page(
    request: Request,
    site: Site,
    member: Member,
    case: Case,
    *,
    status: int = 200,
    signed: int | None = None,
    problems: Mapping[str, Text] | None = None,
    typed: Mapping[str, Any] | None = None,
    other: Mapping[str, str] | None = None,
) -> Response:
    """The incident; ``problems`` and ``typed`` are those of a refused form.

    ``other`` is what was typed into one of the small forms beside the sign-off.
    """
    say = Sayer(member.language, site.zone, member.now)
    first = prefilled(case.step, case.incident, case.procedure, say)
    return site.render(
        request,
        member,
        "incident.html",
        status=status,
        case=case,
        incident=case.incident,
        step=case.step,
        refusal=case.refusal,
        signed=case.just_signed(member.signer.person.username) == signed,
        can_claim=case.may.claim is None,
        can_dismiss=case.may.dismiss is None,
        can_dispense=case.may.dispense is None,
        values=shown(case.step, first if typed is None else typed, case.calendar.zone),
        problems={k: v.said_in(member.language) for k, v in (problems or {}).items()},
        other=other or {},
        source=source_words(case.incident.source),
    )


@router.post("/incidents/{number}/sign")
def sign(request: Request, site: Here, member: Posting, form: Posted, number: str) -> Response:
    """Sign the waiting step: "Ya" or "Tidak"."""
    case = _read(site, number, member)
    try:
        decision = Decision(text_of(form, "decision"))
        step = case.procedure.step(_whole(form, "step"))
    except (ValueError, KeyError):
        raise RequestError(400, "unreadable", UNREADABLE) from None
    typed = posted_form(step, form, case.calendar.zone)
    action = actions.Sign(step.number, decision, typed, _whole(form, "version"))
    refused = act.attempt(site, number, action, member)
    if refused is None:
        return RedirectResponse(f"/incidents/{number}?signed={step.number}", status_code=303)
    if refused.code in ("stale", "closed"):
        return _stale(request, site, member, number, form, step.number, typed)
    fields = dict(refused.fields) or {"": refused.reason}
    return page(request, site, member, case, status=refused.status, problems=fields, typed=typed)


def _stale(
    request: Request,
    site: Site,
    member: Member,
    number: str,
    form: FormData,
    step_number: int,
    typed: Mapping[str, Any],
) -> Response:
    """What changed since the page was read, with the typed text kept for copying."""
    case = _read(site, number, member)
    seen = _whole(form, "seen")
    step = case.procedure.step(step_number)
    written = [
        (f.label, f.kind, _answer(f, typed[f.name]))
        for f in step.form
        if typed.get(f.name) not in (None, "")
    ]
    return site.render(
        request,
        member,
        "stale.html",
        status=409,
        case=case,
        incident=case.incident,
        news=[line for line in case.timeline if line.sequence > seen],
        written=written,
        typed_step=step,
        again=case.incident.open and case.incident.step == step_number and case.refusal is None,
        values=shown(step, typed, case.calendar.zone),
    )


@router.post("/incidents/{number}/claim")
def claim(request: Request, site: Here, member: Posting, form: Posted, number: str) -> Response:
    """Claim the waiting step ("I am on it")."""
    action = actions.Claim(_whole(form, "version"))
    return _small(request, site, member, number, action, {})


@router.post("/incidents/{number}/note")
def note(request: Request, site: Here, member: Posting, form: Posted, number: str) -> Response:
    """Add a remark to the timeline."""
    text = text_of(form, "note").strip()
    return _small(request, site, member, number, actions.AddNote(text), {"note": text}, "note")


@router.post("/incidents/{number}/dismiss")
def dismiss(request: Request, site: Here, member: Posting, form: Posted, number: str) -> Response:
    """Close at the step the procedure allows it, with a reason."""
    try:
        outcome = Outcome(text_of(form, "outcome") or Outcome.NOT_A_DISRUPTION)
    except ValueError:
        raise RequestError(400, "unreadable", UNREADABLE) from None
    reason = text_of(form, "dismiss_reason").strip()
    twin = text_of(form, "duplicate_of").strip()
    action = actions.Dismiss(outcome, reason, _whole(form, "version"), twin)
    typed = {"outcome": outcome.value, "dismiss_reason": reason, "duplicate_of": twin}
    return _small(request, site, member, number, action, typed, "dismiss_reason")


@router.post("/incidents/{number}/dispense")
def dispense(request: Request, site: Here, member: Posting, form: Posted, number: str) -> Response:
    """Record a dispensation from the separation of duties."""
    reason = text_of(form, "dispense_reason").strip()
    username = text_of(form, "dispense_to").strip()
    action = actions.Dispense(
        _whole(form, "dispense_step"), username, reason, _whole(form, "version")
    )
    typed = {
        "dispense_reason": reason,
        "dispense_to": username,
        "dispense_step": text_of(form, "dispense_step"),
    }
    return _small(request, site, member, number, action, typed, "dispense_reason")


def _small(
    request: Request,
    site: Site,
    member: Member,
    number: str,
    action: actions.Action,
    typed: Mapping[str, str],
    field: str = "",
) -> Response:
    """One of the small forms: done and back to the page, or the page with the reason."""
    refused = act.attempt(site, number, action, member)
    if refused is None:
        return RedirectResponse(f"/incidents/{number}", status_code=303)
    return page(
        request,
        site,
        member,
        _read(site, number, member),
        status=refused.status,
        problems={field: refused.reason},
        other=typed,
    )


def _answer(field: Field, value: Any) -> Any:
    """What was typed; for a choice the text that was chosen, not its key."""
    return next((option.label for option in field.options if option.value == value), value)


def _whole(form: FormData, name: str) -> int:
    """A hidden integer of our own page; raises ``RequestError`` when it is missing or invalid."""
    text = text_of(form, name)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise RequestError(400, "unreadable", UNREADABLE)
    return int(text)
