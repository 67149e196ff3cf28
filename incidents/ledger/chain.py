"""Append-only list of events, each containing the hash of the one before it.

An event's hash is SHA-256 over its canonical bytes, which contain the previous event's hash; the
hashed bytes are the stored bytes. Changing, removing or inserting an event breaks the chain at that
place. Removing the last events leaves the chain intact, so the head is also kept separately
(``meta``), in each incident's summary row and on every printed letter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from incidents.ledger.canonical_json import canonical, digest
from incidents.model import JSON, Event, EventKind
from incidents.store import tables

GENESIS = "0" * 64
"""The previous hash of the first event."""

FORMAT = 1
"""Version of the canonical bytes; events of another format are not checked."""

_events = tables.events
_HEAD = "ledger_head"


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


def last_instant(connection: Connection, end: Head) -> datetime | None:
    """The instant of the event at ``end``; None when nothing is written yet."""
    query = select(_events.c.at).where(_events.c.sequence == end.sequence)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


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


def _head(value: str) -> Head:
    sequence, _, hash_ = value.partition(" ")
    return Head(int(sequence), hash_)
