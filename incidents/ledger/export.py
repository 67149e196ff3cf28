"""Exports the ledger as one file that can be verified without the server.

JSON lines: a header, the procedures and calendars, every event as its canonical text with its hash,
every document, and a footer with the head, the counts and the SHA-256 of all lines before it. A
short program in any language can check it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from incidents.ledger.canonical_json import canonical, digest
from incidents.ledger.chain import Head, written
from incidents.ledger.verify import Broken, Chain, Verdict
from incidents.store import Store, tables
from probes import Text

FORMAT = 1


class NotABundle(Exception):
    """A file that is not a ledger bundle, or only part of one; ``sentence`` says which."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


def export(store: Store, path: Path, now: datetime) -> Head:
    """Write the whole ledger to ``path``; returns its head.

    Raises ``StoreUnavailable``; an unwritable path raises ``OSError``.
    """
    part = path.with_name(path.name + ".part")
    seal = hashlib.sha256()
    chain = Chain()
    with store.read() as connection, part.open("wb") as out:

        def write(line: dict[str, Any]) -> None:
            text = canonical(line) + b"\n"
            seal.update(text)
            out.write(text)

        meta = tables.meta
        name = connection.execute(select(meta.c.value).where(meta.c.name == "installation"))
        write(
            {
                "sigap": "ledger",
                "format": FORMAT,
                "installation": name.scalar_one(),
                "exported_at": written(now),
            }
        )
        for row in connection.execute(select(tables.contents).order_by(tables.contents.c.hash)):
            write({"content": row.kind, "hash": row.hash, "body": row.body})
        query = select(tables.events).order_by(tables.events.c.sequence)
        for row in connection.execute(query, execution_options={"yield_per": 2000}):
            write({"event": row.body.decode(), "hash": row.hash, "sequence": row.sequence})
            chain.sequence, chain.hash = row.sequence, row.hash
        count = 0
        kept = select(tables.documents).order_by(tables.documents.c.sequence)
        for row in connection.execute(kept, execution_options={"yield_per": 500}):
            count += 1
            write(
                {
                    "document": row.id,
                    "incident": row.incident,
                    "sequence": row.sequence,
                    "data": row.data.decode(),
                    "sha256": row.sha256,
                }
            )
        footer = {
            "head": chain.hash,
            "events": chain.sequence,
            "documents": count,
            "sha256": seal.hexdigest(),
        }
        out.write(canonical(footer) + b"\n")
    part.replace(path)
    return Head(chain.sequence, chain.hash)


def verify_bundle(path: Path) -> Verdict:
    """Verify a bundle without a store; raises ``NotABundle`` for another or an incomplete file."""
    chain = Chain()
    seal = hashlib.sha256()
    bodies: dict[int, bytes] = {}
    documents = 0
    footer: dict[str, Any] | None = None
    try:
        for line, text in _lines(path):
            if footer is not None:
                raise _not(path, Text("there are lines after its footer"))
            if "head" in line:
                footer = line
                continue
            seal.update(text)
            if "event" in line:
                body = line["event"].encode()
                chain.follow(line["sequence"], body, line["hash"])
                if b'"kind":"signed"' in body or b'"kind":"dismissed"' in body:
                    bodies[chain.sequence] = body
            elif "document" in line:
                documents += 1
                _check_document(line, bodies)
    except Broken as broken:
        found = Head(chain.sequence, chain.hash)
        return Verdict(chain.sequence, found, documents, broken.problem, broken.sequence)
    except (KeyError, TypeError, AttributeError) as error:
        raise _not(path, Text("a line of it lacks something")) from error
    if footer is None:
        raise _not(path, Text("its footer is missing: it is cut short"))
    head = Head(chain.sequence, chain.hash)
    if (footer.get("events"), footer.get("head")) != (chain.sequence, chain.hash):
        return Verdict(chain.sequence, head, documents, _TAIL, chain.sequence + 1)
    if footer.get("documents") != documents or footer.get("sha256") != seal.hexdigest():
        return Verdict(chain.sequence, head, documents, _SEAL)
    return Verdict(chain.sequence, head, documents)


_TAIL = Text("The bundle's tail is cut: the head in its footer is not its last event.")
_SEAL = Text("The bundle's seal does not match: a line was changed, added or removed.")


def _check_document(line: dict[str, Any], bodies: dict[int, bytes]) -> None:
    body = bodies.get(line["sequence"], b"")
    if digest(line["data"].encode()) == line["sha256"] and line["sha256"].encode() in body:
        return
    raise Broken(
        line["sequence"],
        Text(
            "Document {id} of incident {incident} does not match its signature.",
            id=line["document"],
            incident=line["incident"],
        ),
    )


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    with path.open("rb") as source:
        for number, text in enumerate(source, start=1):
            try:
                line = json.loads(text)
            except ValueError as error:
                raise _not(path, Text("line {number} is no JSON", number=number)) from error
            if not isinstance(line, dict) or (
                number == 1 and (line.get("sigap"), line.get("format")) != ("ledger", FORMAT)
            ):
                raise _not(path, Text("line {number} is not one of a bundle", number=number))
            yield line, text


def _not(path: Path, what: Text) -> NotABundle:
    return NotABundle(
        Text(
            "{path} is no whole Sigap ledger bundle: {what}; export it again.",
            path=path.name,
            what=what,
        )
    )
