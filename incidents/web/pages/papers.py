"""Document pages, and the public answer to the QR code on a paper."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request, Response

from incidents.documents.model import NoSuchDocument
from incidents.records.rows import NoSuchIncident
from incidents.web.access.auth import Here, Looking
from incidents.web.access.auth import look as open_look
from incidents.web.views.document_view import SHORT_HASH, draw

router = APIRouter()


@router.get("/incidents/{number}/documents")
def every(request: Request, site: Here, look: Looking, number: str) -> Response:
    """The incident's documents, the oldest first."""
    with look() as (seen, member):
        incident, documents = seen.incident(number), seen.documents(number)
    return site.render(request, member, "documents.html", incident=incident, documents=documents)


@router.get("/incidents/{number}/documents/{id}")
def one(request: Request, site: Here, look: Looking, number: str, id: str) -> Response:
    """One document on the office's paper."""
    with look() as (seen, member):
        document, procedure = seen.document(number, id), seen.procedure(number)
    paper = draw(site, request, member, document, procedure)
    return site.render(
        request,
        member,
        "document.html",
        document=document,
        paper=paper.html,
        paper_language=paper.language,
    )


@router.get("/verify/{number}/{id}")
def verify(request: Request, site: Here, number: str, id: str, h: str = "") -> Response:
    """Whether a paper's address and short hash belong to this office; reveals nothing else.

    A wrong number, a wrong id and a wrong hash get the same answer, so nothing can be listed.
    """
    with open_look(request) as (seen, visitor):
        try:
            document = seen.document(number, id)
        except (NoSuchIncident, NoSuchDocument):
            document = None
    matches = document is not None and hmac.compare_digest(
        document.sha256[:SHORT_HASH].encode(), h.strip().lower().encode()
    )
    return site.render(
        request,
        visitor,
        "verify.html",
        status=200 if matches else 404,
        document=document if matches else None,
        matches=matches,
    )
