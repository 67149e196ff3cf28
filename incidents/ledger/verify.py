"""Verifies the ledger: the chain of hashes, the head, the summary rows and the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from incidents.ledger.canonical_json import digest
from incidents.ledger.chain import GENESIS, Head, head
from incidents.store import LONG_ANSWER_SECONDS, Store, tables
from probes import Text

_events = tables.events
_BEGINNING = re.compile(
    rb'\{"actor":"(?:[^"\\]|\\.)*","at":"[^"]*","incident":"([^"\\]*)","kind":"([a-z_]+)",'
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of verifying the whole ledger; ``problem`` None: it is intact."""

    events: int  # seen until the end or the first problem
    head: Head
    documents: int = 0
    problem: Text | None = None
    sequence: int = 0  # of the first event that is not as it was written


class Broken(Exception):
    """The first place where the chain is broken."""

    def __init__(self, sequence: int, problem: Text) -> None:
        super().__init__(problem.en)
        self.sequence = sequence
        self.problem = problem


class Chain:
    """Follows events one by one and stops at the first that does not match the ones before."""

    def __init__(self) -> None:
        self.sequence = 0
        self.hash = GENESIS

    def follow(self, sequence: int, body: bytes, hash_: str) -> None:
        """Check the next event; raises ``Broken``."""
        expected = self.sequence + 1
        if sequence != expected:
            raise _broken(expected, Text("the event is missing from the sequence"))
        if digest(body) != hash_:
            raise _broken(expected, Text("its bytes have been changed"))
        if not body.endswith(b',"prev":"%b","sequence":%d,"v":1}' % (self.hash.encode(), expected)):
            raise _broken(expected, Text("it does not follow the event before it"))
        self.sequence, self.hash = expected, hash_


def _broken(sequence: int, what: Text) -> Broken:
    return Broken(
        sequence,
        Text("The ledger breaks at {n}: {what}.", n=sequence, what=what),
    )


def verify(store: Store) -> Verdict:
    """Verify the whole ledger, the summary rows and the documents; never raises ``Broken``.

    Raises ``StoreUnavailable``.
    """
    chain = Chain()
    documents = 0
    with store.read(LONG_ANSWER_SECONDS) as connection:
        try:
            for row in _stream(connection):
                chain.follow(row.sequence, row.body, row.hash)
                _check_columns(row, chain)
            _check_head(connection, chain)
            _check_summaries(connection)
            documents = _check_documents(connection)
        except Broken as broken:
            found = Head(chain.sequence, chain.hash)
            return Verdict(chain.sequence, found, 0, broken.problem, broken.sequence)
    return Verdict(chain.sequence, Head(chain.sequence, chain.hash), documents)


def _stream(connection: Connection) -> Iterator[Row[Any]]:
    query = select(_events).order_by(_events.c.sequence)
    yield from connection.execute(query, execution_options={"yield_per": 2000})


def _check_columns(row: Row[Any], chain: Chain) -> None:
    # The columns only find events; what counts is in the bytes, and the two must agree.
    found = _BEGINNING.match(row.body)
    if found is None or found.groups() != (row.incident.encode(), row.kind.encode()):
        raise _broken(
            row.sequence, Text("its incident or kind column does not agree with its bytes")
        )


def _check_head(connection: Connection, chain: Chain) -> None:
    kept = head(connection)
    if (kept.sequence, kept.hash) != (chain.sequence, chain.hash):
        raise _broken(
            min(kept.sequence, chain.sequence) + 1,
            Text(
                "its tail is cut: {found} events are there, {written} were written",
                found=chain.sequence,
                written=kept.sequence,
            ),
        )


def _check_summaries(connection: Connection) -> None:
    rows = tables.incidents
    theirs = _events.alias()
    last = (
        select(func.max(theirs.c.sequence))
        .where(theirs.c.incident == rows.c.number)
        .scalar_subquery()
    )
    wrong = connection.execute(
        select(rows.c.number, rows.c.last_sequence)
        .outerjoin(_events, _events.c.sequence == rows.c.last_sequence)
        .where(
            (rows.c.last_sequence != func.coalesce(last, 0))
            | (rows.c.last_hash != func.coalesce(_events.c.hash, ""))
        )
        .order_by(rows.c.last_sequence)
        .limit(1)
    ).first()
    if wrong is not None:
        raise _broken(
            wrong.last_sequence,
            Text("the summary of incident {number} names another last event", number=wrong.number),
        )


def _check_documents(connection: Connection) -> int:
    kept = tables.documents
    query = (
        select(kept, _events.c.hash.label("event_hash"), _events.c.body.label("event_body"))
        .outerjoin(_events, _events.c.sequence == kept.c.sequence)
        .order_by(kept.c.sequence)
    )
    count = 0
    for row in connection.execute(query, execution_options={"yield_per": 500}):
        count += 1
        bound = row.event_body is not None and row.sha256.encode() in row.event_body
        if digest(row.data) != row.sha256 or row.event_hash != row.ledger_hash or not bound:
            raise _broken(
                row.sequence,
                Text(
                    "document {id} of incident {number} does not match",
                    id=row.id,
                    number=row.incident,
                ),
            )
    return count
