"""Renders a document on the office's paper, with a QR code that leads back to the record.

The letter speaks the language its procedure names; the other documents follow the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from markupsafe import Markup

from incidents.documents.letter import body
from incidents.documents.model import Document
from incidents.model import JSON
from incidents.procedure.model import Procedure
from incidents.web.rendering import Reader, Site

SHORT_HASH = 12
"""Hex digits of a document's hash that a QR code carries (48 bits)."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The rendered document and its language."""

    html: Markup
    language: str


def verify_url(base: str, document: Document) -> str:
    """The address where a paper can be compared with the record."""
    return f"{base}/verify/{document.incident}/{document.id}?h={document.sha256[:SHORT_HASH]}"


def draw(
    site: Site, request: Request, visit: Reader, document: Document, procedure: Procedure
) -> Paper:
    """The document as it is shown and printed."""
    import segno  # not at the start: only who draws a document needs it

    letter = document.data.get("letter")
    language = visit.language if letter is None else letter.get("language", "id")
    url = verify_url(site.address(request), document)
    # both come from our own code and from segno's drawing of our own address: nothing typed in them
    code = Markup(  # noqa: S704 - an SVG made here, with no text in it
        segno.make(url, error="m").svg_inline(border=0, omitsize=True, title=None)
    )
    html = site.html(
        request,
        visit,
        "sheet.html" if letter is None else "letter.html",
        language,
        document=document,
        data=document.data,
        kind=procedure.documents[document.kind],
        body=_body(procedure, document.data),
        qr=code,
        verify_url=url,
    )
    return Paper(Markup(html), language)  # noqa: S704 - rendered with autoescape just above


def _body(procedure: Procedure, data: JSON) -> list[dict[str, Any]]:
    """The paragraphs of a letter; one written before they were kept is composed again."""
    letter = data.get("letter")
    if letter is None or procedure.letter is None:
        return []
    kept: list[dict[str, Any]] = letter.get("body") or body(procedure.letter, procedure, data)
    return kept
