"""Inbox page (Kotak masuk): incidents that wait for me, late ones, and all other open ones."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from incidents.procedure.model import Right
from incidents.web.access.auth import Here, Looking

router = APIRouter()


@router.get("/")
def show(request: Request, site: Here, look: Looking) -> Response:
    """The first page after signing in."""
    with look() as (seen, member):
        inbox = seen.inbox(member.signer, member.now)
    return site.render(
        request,
        member,
        "inbox.html",
        inbox=inbox,
        issuers=[
            role.title for role in site.desk.present_procedure.with_right(Right.ISSUE_LETTERS)
        ],
    )
