"""Sign-in, sign-out and choice of language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from incidents.model import Refused
from incidents.web.access.auth import (
    SESSION_COOKIE,
    Anyone,
    Here,
    Posted,
    Posting,
    inside,
    keep_language,
    keep_session,
    refuse_without_token,
    text_of,
)
from incidents.web.languages import known

router = APIRouter()


@router.get("/signin")
def show(
    request: Request, site: Here, visitor: Anyone, wanted: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """The form to sign in with; somebody signed in goes on at once."""
    if visitor.session is not None:
        return RedirectResponse(inside(wanted), status_code=303)
    return site.render(
        request, visitor, "signin.html", wanted=inside(wanted), username="", problems={}
    )


@router.post("/signin")
def sign_in(request: Request, site: Here, visitor: Anyone, form: Posted) -> Response:
    """Check name and password; the sentence on failure never says which was wrong."""
    username = text_of(form, "username").strip()
    wanted = inside(text_of(form, "next") or "/")
    address = request.client.host if request.client else ""
    try:
        session = site.sessions.sign_in(username, text_of(form, "password"), address, visitor.now)
    except Refused as refused:
        return site.render(
            request,
            visitor,
            "signin.html",
            status=403,
            wanted=wanted,
            username=username,
            problems={"username": refused.reason.said_in(visitor.language)},
        )
    answer = RedirectResponse(wanted, status_code=303)
    keep_session(answer, request, session)
    return answer


@router.post("/signout")
def sign_out(request: Request, site: Here, member: Posting) -> Response:
    """End the session on this side, not only in the browser."""
    if member.session is not None:
        site.sessions.sign_out(member.session.token)
    answer = RedirectResponse("/signin", status_code=303)
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.post("/language")
def choose_language(request: Request, visitor: Anyone, form: Posted) -> Response:
    """Keep the language in this browser."""
    refuse_without_token(visitor.session, text_of(form, "csrf"))
    answer = RedirectResponse(inside(text_of(form, "next") or "/"), status_code=303)
    keep_language(answer, request, known(text_of(form, "to")))
    return answer
