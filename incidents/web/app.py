"""Assembles pages and API into one application.

``create_app`` is all that a process with a desk needs; /metrics, /healthz and /readyz are added by
the process that serves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.people.accounts import People
from incidents.people.sessions import Sessions
from incidents.web.access import errors
from incidents.web.access.security import Guard
from incidents.web.api import routes as api
from incidents.web.display.target_health import TargetHealth
from incidents.web.pages import archive, inbox, incident, papers, report, servers, session, staff
from incidents.web.rendering import WEB, Site

WITA = ZoneInfo("Asia/Makassar")


def create_app(
    desk: Desk,
    people: People,
    office: Office,
    targets: Callable[[], Sequence[TargetHealth]],
    clock: Callable[[], datetime],
    demo: bool = False,
    *,
    zone: ZoneInfo = WITA,
    base_url: str = "",
    version: str = "",
) -> FastAPI:
    """The pages at ``/`` and the API at ``/api/v1``.

    ``targets`` answers from memory with the newest health of every server; ``clock`` gives aware
    UTC; ``zone`` is the calendar's; ``base_url`` is printed in QR codes (left empty: the address
    the reader used). A router mounted afterwards may use ``Site.render`` of
    ``incidents.web.rendering`` through ``incidents.web.access.auth`` for pages of its own.
    """
    app = FastAPI(
        title="Sigap",
        version=version or "0",
        summary="Incidents of watched databases and their procedure.",
        description=api.DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both load scripts from elsewhere, which the pages' policy forbids
        redoc_url=None,
    )
    app.state.site = Site(
        desk=desk,
        people=people,
        sessions=Sessions(people.store),
        office=office,
        targets=targets,
        clock=clock,
        zone=zone,
        demo=demo,
        base_url=base_url,
    )
    app.add_middleware(Guard)
    app.mount("/static", StaticFiles(directory=WEB / "static"), name="static")
    for part in (session, inbox, incident, papers, report, servers, archive, staff):
        app.include_router(part.router, include_in_schema=False)
    app.include_router(api.router)
    errors.install(app)
    return app
