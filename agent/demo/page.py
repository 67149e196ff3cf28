"""The page ``/demo``, on which a visitor breaks and repairs the demo's servers.

Any signed-in person may do here what the demo's owner does in a second terminal, and nothing more;
a post must come from this page, like every other form of the desk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import jinja2
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from agent.demo.banner import command
from agent.demo.errors import DemoError
from agent.demo.home import Home
from agent.demo.scene.faults import FAULTS, Fault, Faults
from incidents.web.access.auth import Here, Posted, Posting, Signed, text_of
from incidents.web.rendering import Site
from probes import Text

TEMPLATES = Path(__file__).parent / "templates"

WORDS = {
    "title": Text("Try it: break and heal"),
    "lead": Text(
        "Each fault below is real, on this demo's own small servers. Break one and watch its "
        "incident appear in the inbox within seconds. Healing the server does not close the "
        "incident: its steps are still signed by people."
    ),
    "fine": Text("Not broken"),
    "broken": Text("Broken"),
    "break": Text("Break"),
    "heal": Text("Heal"),
    "none": Text("Not available on this machine; run the demo as root."),
    "done": Text("Done."),
    "terminal": Text("A second terminal does the same:"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One server on which a fault is possible, as the page shows it."""

    target: str
    stands: bool


def overview(faults: Faults) -> list[tuple[Fault, list[Place]]]:
    """Every fault with every server where it is possible."""
    standing = faults.status()
    return [
        (fault, [Place(target, target in standing[name]) for target in faults.targets(fault)])
        for name, fault in FAULTS.items()
    ]


def with_own_templates(site: Site) -> Site:
    """The same site, which also finds the demo's template."""
    own = jinja2.FileSystemLoader(TEMPLATES)
    return replace(
        site,
        environments={
            language: environment.overlay(loader=jinja2.ChoiceLoader([own, environment.loader]))
            for language, environment in site.environments.items()
            if environment.loader is not None
        },
    )


def router(faults: Faults, home: Home) -> APIRouter:
    """``GET /demo`` and ``POST /demo``; not part of the documented API."""
    routes = APIRouter(include_in_schema=False)

    def shown(
        request: Request, site: Site, member: Signed, problem: Text | None, done: bool
    ) -> Response:
        return with_own_templates(site).render(
            request,
            member,
            "demo.html",
            status=409 if problem else 200,
            faults=overview(faults),
            words=WORDS,
            command=command(home),
            problems={"": problem.said_in(member.language)} if problem else {},
            done=done,
        )

    @routes.get("/demo")
    def show(
        request: Request, site: Here, member: Signed, done: Annotated[str, Query()] = ""
    ) -> Response:
        """What can be broken, and what is."""
        return shown(request, site, member, None, bool(done))

    @routes.post("/demo")
    def act(request: Request, site: Here, member: Posting, form: Posted) -> Response:
        """Cause or heal one fault; an error is shown on the page."""
        name, target = text_of(form, "fault"), text_of(form, "target")
        try:
            if text_of(form, "do") == "heal":
                faults.heal(name, target)
            else:
                faults.break_it(name, target)
        except DemoError as error:
            return shown(request, site, member, error.reason, False)
        return RedirectResponse("/demo?done=1", status_code=303)

    return routes
