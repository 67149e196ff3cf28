"""Form Laporan page: a person reports a fault that no probe has found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from incidents.model import Refused
from incidents.web.access.auth import Here, Member, Posted, Posting, Signed, text_of
from incidents.web.rendering import Site
from incidents.web.views.form_values import with_offset
from incidents.workflow.actions import ActionRefused
from probes import Text

router = APIRouter()

FIELDS = (
    "title",
    "description",
    "application",
    "agency",
    "target",
    "reporter",
    "contact",
    "occurred_at",
    "severity",
)
SOURCES = ("person", "agency")


@router.get("/report")
def show(request: Request, site: Here, member: Signed) -> Response:
    """The empty form."""
    return _page(request, site, member, {}, {}, 200)


@router.post("/report")
def send(request: Request, site: Here, member: Posting, form: Posted) -> Response:
    """Open an incident and go to it."""
    typed = {name: text_of(form, name).strip() for name in (*FIELDS, "source")}
    answers: dict[str, Any] = {name: typed[name] for name in FIELDS if typed[name]}
    if "occurred_at" in answers:
        answers["occurred_at"] = with_offset(answers["occurred_at"], site.zone)
    source = typed["source"] if typed["source"] in SOURCES else SOURCES[0]
    try:
        incident = site.desk.report_manually(answers, member.signer, member.now, source)
    except ActionRefused as refused:
        told = dict(refused.refusal.fields) or {"title": refused.reason}
        return _page(request, site, member, typed, told, 422)
    except Refused as refused:
        return _page(request, site, member, typed, {"title": refused.reason}, 422)
    return RedirectResponse(f"/incidents/{incident.number}", status_code=303)


def _page(
    request: Request,
    site: Site,
    member: Member,
    typed: Mapping[str, str],
    problems: Mapping[str, Text],
    status: int,
) -> Response:
    return site.render(
        request,
        member,
        "report.html",
        status=status,
        typed=typed,
        first_step=site.desk.present_procedure.first,
        problems={name: text.said_in(member.language) for name, text in problems.items()},
        servers=sorted(target.name for target in site.targets()),
    )
