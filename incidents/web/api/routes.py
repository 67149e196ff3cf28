"""``/api/v1``: the desk for programs, with the same refusals as the pages.

A caller signs in with HTTP Basic or with the session of a page. A program that uses a page's
session must send its token in ``X-CSRF-Token`` with every change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from incidents.model import Decision, Outcome, Refused
from incidents.procedure import limits
from incidents.queries import Snapshot
from incidents.web import actions as act
from incidents.web.access.auth import (
    Here,
    Look,
    Member,
    Visitor,
    member_of,
    refuse_foreign,
    refuse_without_token,
    signed_look,
    site_of,
)
from incidents.web.access.problem import RequestError, SignInFirst, problem_of
from incidents.web.api import schemas, serializers
from incidents.web.languages import Language, known
from incidents.web.rendering import Site
from incidents.web.views.document_view import draw
from incidents.web.views.incident_view import case_of
from incidents.workflow import actions
from incidents.workflow.actions import ActionRefused

DESCRIPTION = (
    "Refused actions answer with the sentence the pages show: 403 wrong role or separation of "
    "duties, 409 stale version or wrong step, 422 form (fields named), 404, 401. Times are ISO "
    "8601 in UTC."
)
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorBody, "description": words}
    for status, words in {
        401: "Not signed in",
        403: "Wrong role today, or separation of duties",
        404: "No such incident or document",
        409: "Somebody acted since you read, or another step waits",
        422: "The form or the body is not right; fields are named",
        503: "The store does not answer",
    }.items()
}

router = APIRouter(prefix="/api/v1", tags=["incidents"], responses=ERRORS)
basic = HTTPBasic(auto_error=False, description="A person's username and password")


def caller(
    request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(basic)] = None
) -> Member:
    """Who calls to change something; raises ``SignInFirst``, and ``RequestError`` for a session of
    a page without its token.
    """
    refuse_foreign(request)  # browsers send remembered Basic credentials along as well
    if given is not None:
        with _look_by_password(request, given) as (_, member):
            return member
    member = member_of(request)
    refuse_without_token(member.session, request.headers.get("x-csrf-token", ""))
    return member


def looking(
    request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(basic)] = None
) -> Look:
    """Opens the one snapshot that an answer is read from; raises ``SignInFirst``."""
    if given is not None:
        return partial(_look_by_password, request, given)
    return partial(signed_look, request)


@contextmanager
def _look_by_password(
    request: Request, given: HTTPBasicCredentials
) -> Iterator[tuple[Snapshot, Member]]:
    site = site_of(request)
    now = site.clock()
    address = request.client.host if request.client else ""
    try:
        person = site.sessions.check(given.username, given.password, address, now)
    except Refused as refused:
        raise RequestError(401, "credentials", refused.reason) from refused
    with site.desk.queries.snapshot() as seen:
        signer = seen.signer(person.username, site.today(now))
        if signer is None:
            raise SignInFirst
        yield seen, Member(now, known(person.language), signer)


Caller = Annotated[Member, Depends(caller)]
Looking = Annotated[Look, Depends(looking)]


def signed(look: Looking) -> Member:
    """Who asks for what needs nothing else of the store."""
    with look() as (_, member):
        return member


Signed = Annotated[Member, Depends(signed)]


@router.get("/incidents", summary="Incidents, newest first")
def list_incidents(
    look: Looking,
    state: Literal["open", "closed", "all"] = "open",
    q: Annotated[str, Query(max_length=limits.SEARCH, description="every word must occur")] = "",
    after: Annotated[int | None, Query(description="the ``after`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> schemas.IncidentList:
    """Open ones unless asked otherwise."""
    with look() as (seen, member):
        page = seen.search(state, q.strip(), after, limit)
    rows = [serializers.summary(row, member.now) for row in page.rows]
    return schemas.IncidentList(incidents=rows, after=page.after)


@router.get("/incidents/{number}", summary="One incident, whole")
def get_incident(site: Here, look: Looking, number: str) -> schemas.IncidentBody:
    """State, findings with evidence, visits, clocks, timeline, and who may sign."""
    with look() as (seen, member):
        details = seen.details(number, member.signer, member.now)
    return serializers.whole(case_of(details, site.targets()))


@router.post("/incidents", status_code=201, summary="Report a disruption by hand")
def post_incident(
    site: Here, member: Caller, report: schemas.ReportIn, response: Response
) -> schemas.IncidentBody:
    """Form Laporan; opens an incident at its first step."""
    answers = {
        name: value
        for name, value in report.model_dump(mode="json", exclude={"source"}).items()
        if value not in (None, "")
    }
    if report.occurred_at is not None:
        at = report.occurred_at
        aware = at if at.tzinfo else at.replace(tzinfo=site.zone)
        answers["occurred_at"] = aware.isoformat()
    try:
        incident = site.desk.report_manually(answers, member.signer, member.now, report.source)
    except ActionRefused as refused:
        raise problem_of(refused.refusal) from refused
    except Refused as refused:
        raise RequestError(422, "form", refused.reason) from refused
    response.headers["location"] = f"/api/v1/incidents/{incident.number}"
    return _whole(site, member, incident.number)


@router.post("/incidents/{number}/signoffs", status_code=201, summary="Sign the waiting step")
def post_signoff(
    site: Here, member: Caller, number: str, wish: schemas.SignOffIn
) -> schemas.IncidentBody:
    """Approve or return; leaves a document."""
    action = actions.Sign(wish.step, Decision(wish.decision), wish.form, wish.version)
    return _done(site, member, number, action)


@router.post("/incidents/{number}/claims", status_code=201, summary='Say "I am on it"')
def post_claim(
    site: Here, member: Caller, number: str, wish: schemas.ClaimIn
) -> schemas.IncidentBody:
    """Stops no clock."""
    return _done(site, member, number, actions.Claim(wish.version))


@router.post("/incidents/{number}/notes", status_code=201, summary="Add a remark")
def post_note(
    site: Here, member: Caller, number: str, wish: schemas.NoteIn
) -> schemas.IncidentBody:
    """Does not change the version."""
    return _done(site, member, number, actions.AddNote(wish.text.strip()))


@router.post("/incidents/{number}/dismissals", status_code=201, summary="Close without repair")
def post_dismissal(
    site: Here, member: Caller, number: str, wish: schemas.DismissIn
) -> schemas.IncidentBody:
    """Not a disruption, or a duplicate; only where the procedure allows it."""
    action = actions.Dismiss(
        Outcome(wish.outcome), wish.reason.strip(), wish.version, wish.duplicate_of.strip()
    )
    return _done(site, member, number, action)


@router.post("/incidents/{number}/dispensations", status_code=201, summary="Grant a dispensation")
def post_dispensation(
    site: Here, member: Caller, number: str, wish: schemas.DispenseIn
) -> schemas.IncidentBody:
    """One person may sign one step although the separation of duties forbids it."""
    action = actions.Dispense(wish.step, wish.username, wish.reason.strip(), wish.version)
    return _done(site, member, number, action)


@router.get("/incidents/{number}/documents", summary="Documents of an incident")
def list_documents(look: Looking, number: str) -> schemas.DocumentList:
    """The oldest first."""
    with look() as (seen, _):
        found = seen.documents(number)
    documents = [serializers.document_summary(each) for each in found]
    return schemas.DocumentList(documents=documents)


@router.get(
    "/incidents/{number}/documents/{id}.html",
    summary="One document as a page",
    response_class=HTMLResponse,
)
def get_document_page(
    request: Request,
    site: Here,
    look: Looking,
    number: str,
    id: str,
    lang: Language | None = None,
) -> HTMLResponse:
    """Fit for printing; the letter is always in Bahasa Indonesia."""
    with look() as (seen, member):
        document, procedure = seen.document(number, id), seen.procedure(number)
    visit = Visitor(member.now, lang or member.language, member.session, member.signer)
    paper = draw(site, request, visit, document, procedure)
    return site.render(
        request,
        visit,
        "document.html",
        document=document,
        paper=paper.html,
        paper_language=paper.language,
    )


@router.get("/incidents/{number}/documents/{id}", summary="One document as data")
def get_document(look: Looking, number: str, id: str) -> schemas.DocumentBody:
    """Everything its page prints, with the hashes that bind it to the ledger."""
    with look() as (seen, _):
        return serializers.document_whole(seen.document(number, id))


@router.get("/targets", tags=["targets"], summary="Health of every watched server")
def list_targets(site: Here, _member: Signed) -> schemas.TargetList:
    """From memory: what the probes said last, blind spots included."""
    return schemas.TargetList(targets=[serializers.target(each) for each in site.targets()])


def _done(site: Site, member: Member, number: str, action: actions.Action) -> schemas.IncidentBody:
    refused = act.attempt(site, number, action, member)
    if refused is not None:
        raise refused
    return _whole(site, member, number)


def _whole(site: Site, member: Member, number: str) -> schemas.IncidentBody:
    """The incident as it stands after a change."""
    details = site.desk.queries.details(number, member.signer, member.now)
    return serializers.whole(case_of(details, site.targets()))
