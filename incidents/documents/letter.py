"""Composes the letter of a procedure from a document's own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incidents.documents.model import Document, Office
from incidents.model import JSON
from incidents.procedure.letter import Letter, Part
from incidents.procedure.model import Procedure
from probes import Text
from probes.words.finding_json import text

_NO_ATTACHMENT = "-"


def letter_data(
    letter: Letter,
    procedure: Procedure,
    data: JSON,
    office: Office,
    earlier: Sequence[Document],
) -> dict[str, Any]:
    """The content of the letter, from the data of its document and the ``earlier`` ones; ``office``
    as ``Office.signing_for`` the letter returns it.
    """
    values = _values(procedure, data, letter.language)
    number, numbered = letter.number.filled(values)
    urgency, answered = letter.urgency.filled(values)
    copies, named = letter.copies.filled(values)
    attached = _attached(letter, earlier)
    return {
        "language": letter.language,
        "number": number,
        "numbered": numbered,
        "place": office.place,
        "date": data["signer"]["at"],
        "nature": urgency if answered else office.nature,
        "attachment": letter.attachments_said if attached else _NO_ATTACHMENT,
        "attached_document": attached[-1].id if attached else "",
        "attached_title": text(attached[-1].title) if attached else text(Text("")),
        "subject": letter.subject.filled(values),
        "recipient": letter.recipient.filled(values)[0],
        "body": body(letter, procedure, data),
        "signature": {
            "on_behalf": office.on_behalf,
            "position": office.signer_position,
            "name": office.signer_name,
            "rank": office.signer_rank,
            "nip": office.signer_nip,
        },
        "copies": _lines(copies) if named else list(office.copies or ()),
    }


def body(letter: Letter, procedure: Procedure, data: JSON) -> list[dict[str, Any]]:
    """The paragraphs in order: ``{"text": …}``, with ``"flat"`` for a remark, or ``{"facts":
    […]}``. Also renders letters written before the body was stored in ``data``.
    """
    values = _values(procedure, data, letter.language)
    found: list[dict[str, Any]] = []
    for part in letter.body:
        found += _paragraphs(part, values, data)
    return found


def _paragraphs(part: Part, values: Mapping[str, str], data: JSON) -> Iterator[dict[str, Any]]:
    sentence = part.sentence
    if sentence is None:
        yield {"facts": list(part.facts)}
    elif sentence.per_dispensation:
        for given in data["dispensations"]:
            more = {
                "dispensation.step": str(given["step"]),
                "dispensation.name": given["name"],
                "dispensation.granted_by": given["granted_by_name"],
                "dispensation.reason": given["reason"],
            }
            yield {"text": sentence.filled({**values, **more}), "flat": True}
    elif sentence.is_one_slot:
        yield from ({"text": line} for line in _lines(sentence.filled(values)))
    elif words := sentence.filled(values):
        yield {"text": words}


def _values(procedure: Procedure, data: JSON, language: str) -> dict[str, str]:
    """The text of every slot: the answers signed now, else the newest signed ones."""
    incident = data["incident"]
    title = str(incident["title"][language])
    values = {
        "incident.number": incident["number"],
        "incident.title": title,
        "incident.application": incident["application"] or incident["target"] or title,
        "incident.agency": incident["agency"],
        "incident.severity": incident["severity"],
    }
    signed = [(visit["step"], visit["form"]) for visit in data["visits"]]
    for number, form in [*signed, (data["step"]["number"], data["form"])]:
        key = procedure.step(number).key
        values = {name: words for name, words in values.items() if not name.startswith(f"{key}.")}
        values |= {f"{key}.{row['name']}": str(row["printed"][language]) for row in form}
    return values


def _attached(letter: Letter, earlier: Sequence[Document]) -> list[Document]:
    """The newest document of each attached kind, in the letter's order."""
    newest = {document.kind: document for document in earlier}
    return [newest[kind] for kind in letter.attachments if kind in newest]


def _lines(words: str) -> list[str]:
    return [line.strip() for line in words.splitlines() if line.strip()]
