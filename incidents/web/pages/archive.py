"""Archive page: every incident, with text search, newest first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from incidents.procedure import limits
from incidents.web.access.auth import Here, Looking

router = APIRouter()
STATES = ("closed", "open", "all")
PAGE_ROWS = 50


@router.get("/archive")
def show(
    request: Request,
    site: Here,
    look: Looking,
    q: Annotated[str, Query(max_length=limits.SEARCH)] = "",
    state: str = "closed",
    after: int | None = None,
) -> Response:
    """Closed incidents unless asked for more; ``after`` continues a list."""
    state = state if state in STATES else "closed"
    with look() as (seen, member):
        found = seen.search(state, q.strip(), after, PAGE_ROWS)
    return site.render(
        request,
        member,
        "archive.html",
        found=found,
        q=q.strip(),
        state=state,
        first_page=after is None,
    )
