"""The health of every watched server, blind spots included."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request, Response

from incidents.web.health import WORST_FIRST
from incidents.web.visitor import Here, Signed

router = APIRouter()


@router.get("/targets")
def show(request: Request, site: Here, member: Signed) -> Response:
    """The worst first, then by name."""
    found = sorted(site.targets(), key=lambda t: (WORST_FIRST.index(t.state), t.name))
    return site.render(
        request,
        member,
        "targets.html",
        targets=found,
        tally=Counter(target.state for target in found),
        order=WORST_FIRST,
    )
