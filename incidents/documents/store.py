"""Stores documents: one row each, bound to the ledger event of their signature."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from incidents.documents.model import Document, NoSuchDocument
from incidents.ledger.canonical_json import canonical
from incidents.store import tables
from probes import Text

_kept = tables.documents


def put(connection: Connection, document: Document) -> None:
    """Store a document; its data must be canonical already."""
    connection.execute(
        insert(_kept).values(
            incident=document.incident,
            id=document.id,
            step=document.step,
            attempt=document.attempt,
            kind=document.kind,
            title_id=document.title.id,
            title_en=document.title.en,
            revision=document.revision,
            at=document.at,
            data=canonical(document.data),
            sha256=document.sha256,
            previous=document.previous,
            sequence=document.sequence,
            ledger_hash=document.ledger_hash,
        )
    )


def documents(connection: Connection, number: str) -> tuple[Document, ...]:
    """The documents of an incident, the oldest first."""
    query = select(_kept).where(_kept.c.incident == number).order_by(_kept.c.sequence)
    return tuple(_document(row) for row in connection.execute(query))


def document(connection: Connection, number: str, id: str) -> Document:
    """One document; raises ``NoSuchDocument``."""
    query = select(_kept).where(_kept.c.incident == number, _kept.c.id == id)
    row = connection.execute(query).first()
    if row is None:
        raise NoSuchDocument(number, id)
    return _document(row)


def _document(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        incident=row.incident,
        step=row.step,
        attempt=row.attempt,
        kind=row.kind,
        title=Text.written({"id": row.title_id, "en": row.title_en}),
        revision=row.revision,
        at=row.at,
        data=json.loads(row.data),
        sha256=row.sha256,
        previous=row.previous,
        sequence=row.sequence,
        ledger_hash=row.ledger_hash,
    )
