"""Server pages: the health of every monitored server, as a list and as a page for each."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, HTTPException, Request, Response

from incidents.web.access.auth import Here, Signed
from incidents.web.display.target_health import WORST_FIRST

router = APIRouter()


@router.get("/targets")
def show(request: Request, site: Here, member: Signed) -> Response:
    """Every server in one line, the worst first, then by name."""
    found = sorted(site.targets(), key=lambda t: (WORST_FIRST.index(t.state), t.name))
    return site.render(
        request,
        member,
        "targets.html",
        targets=found,
        tally=Counter(target.state for target in found),
        order=WORST_FIRST,
    )


@router.get("/targets/{name}")
def show_one(request: Request, site: Here, member: Signed, name: str) -> Response:
    """The open findings of one server, and all of its probes, the worst first."""
    target = next((each for each in site.targets() if each.name == name), None)
    if target is None:
        raise HTTPException(404)
    probes = sorted(target.probes, key=lambda p: (WORST_FIRST.index(p.state), p.name))
    return site.render(request, member, "target.html", target=target, probes=probes)
