"""Append-only list of events, each containing the hash of the one before it.

An event's hash is SHA-256 over its canonical bytes, which contain the previous event's hash; the
hashed bytes are the stored bytes. Changing, removing or inserting an event breaks the chain at that
place. Removing the last events leaves the chain intact, so the head is also kept separately
(``meta``), in each incident's summary row and on every printed letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from incidents.ledger.canonical_json import canonical, digest
from incidents.model import JSON, Event, EventKind
from incidents.store import LONG_ANSWER_SECONDS, Store, tables
from probes import Text

GENESIS = "0" * 64
"""The previous hash of the first event."""

FORMAT = 1
"""Version of the canonical bytes; events of another format are not checked."""

_events = tables.events
_HEAD = "ledger_head"
_BEGINNING = re.compile(
    rb'\{"actor":"(?:[^"\\]|\\.)*","at":"[^"]*","incident":"([^"\\]*)","kind":"([a-z_]+)",'
)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the ledger: what a letter prints and a metric exports."""

    sequence: int  # 0: nothing written yet
    hash: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is not yet written."""

    incident: str
    kind: EventKind
    at: datetime
    actor: str
    payload: JSON


def lock(connection: Connection) -> Head:
    """Lock and return the head until this transaction ends, so that writers take turns on every
    store.

    SQLite has one writer anyway; PostgreSQL locks the row.
    """
    query = select(tables.meta.c.value).where(tables.meta.c.name == _HEAD).with_for_update()
    return _head(connection.execute(query).scalar_one())


def head(connection: Connection) -> Head:
    """The end of the ledger as ``meta`` keeps it."""
    query = select(tables.meta.c.value).where(tables.meta.c.name == _HEAD)
    return _head(connection.execute(query).scalar_one())


def append(connection: Connection, drafts: Sequence[Draft]) -> tuple[Event, ...]:
    """Write events in the caller's transaction and return them as they will be read back.

    Raises ``NotCanonical`` for a payload without a single written form.
    """
    if not drafts:
        return ()
    now = lock(connection)
    sequence, previous = now.sequence, now.hash
    events, rows = [], []
    for draft in drafts:
        sequence += 1
        body = canonical(
            {
                "actor": draft.actor,
                "at": written(draft.at),
                "incident": draft.incident,
                "kind": draft.kind.value,
                "payload": draft.payload,
                "prev": previous,
                "sequence": sequence,
                "v": FORMAT,
            }
        )
        hash_ = digest(body)
        rows.append(
            {
                "sequence": sequence,
                "incident": draft.incident,
                "kind": draft.kind.value,
                "at": draft.at,
                "body": body,
                "prev_hash": previous,
                "hash": hash_,
            }
        )
        events.append(read_event(body, hash_))
        previous = hash_
    connection.execute(insert(_events), rows)
    connection.execute(
        update(tables.meta)
        .where(tables.meta.c.name == _HEAD)
        .values(value=f"{sequence} {previous}")
    )
    return tuple(events)


def events_of(connection: Connection, incident: str, after: int = 0) -> tuple[Event, ...]:
    """The events of one incident in order, those after a sequence only."""
    query = (
        select(_events.c.body, _events.c.hash)
        .where(_events.c.incident == incident, _events.c.sequence > after)
        .order_by(_events.c.sequence)
    )
    return tuple(read_event(row.body, row.hash) for row in connection.execute(query))


def read_event(body: bytes, hash_: str) -> Event:
    """An event from its canonical bytes."""
    said = json.loads(body)
    return Event(
        sequence=said["sequence"],
        incident=said["incident"],
        kind=EventKind(said["kind"]),
        at=datetime.fromisoformat(said["at"]),
        actor=said["actor"],
        payload=said["payload"],
        hash=hash_,
    )


def written(at: datetime) -> str:
    """An instant as the ledger writes it: UTC, always with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


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


def _head(value: str) -> Head:
    sequence, _, hash_ = value.partition(" ")
    return Head(int(sequence), hash_)
