"""Kotak masuk: what waits for me, what runs late, and every other open incident."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from incidents.web.auth import Here, Signed

router = APIRouter()


@router.get("/")
def show(request: Request, site: Here, member: Signed) -> Response:
    """The first page after signing in."""
    return site.render(
        request,
        member,
        "inbox.html",
        inbox=site.desk.inbox(member.signer, member.now),
    )
