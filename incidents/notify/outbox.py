"""Messages to roles: rows written with their events, to be delivered afterwards.

They are written in the transaction of the change, so that every change is announced and nothing
else. A row is claimed for a limited time and becomes due again when the claim expires: a crash
repeats a message, never loses one. No channel sends them yet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from incidents.store import Store, tables

_rows = tables.outbox
_log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""How long a claimed row belongs to its claimer."""

PATIENCE = timedelta(hours=1)
"""The longest wait between two attempts to deliver a message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one role."""

    id: int
    sequence: int  # of the ledger event
    incident: str
    topic: str  # opened | step | reminded | breached | closed
    role: str
    tries: int


def tell(
    connection: Connection,
    sequence: int,
    incident: str,
    topic: str,
    roles: Iterable[str],
    now: datetime,
) -> None:
    """Queue, in the caller's transaction, a message to each role."""
    rows = [
        {
            "sequence": sequence,
            "incident": incident,
            "topic": topic,
            "role": role,
            "created_at": now,
            "due_at": now,
            "tries": 0,
            "error": "",
        }
        for role in dict.fromkeys(roles)
        if role
    ]
    if rows:
        connection.execute(insert(_rows), rows)


def claim_due(store: Store, now: datetime, limit: int = 20) -> tuple[Message, ...]:
    """Claim what is due and not claimed, the oldest first."""
    free = (_rows.c.lease_until.is_(None)) | (_rows.c.lease_until <= now)
    due = (
        select(_rows)
        .where(_rows.c.done_at.is_(None), _rows.c.due_at <= now, free)
        .order_by(_rows.c.due_at, _rows.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    with store.write() as connection:
        found = connection.execute(due).all()
        taken = [row.id for row in found]
        if taken:
            connection.execute(
                update(_rows)
                .where(_rows.c.id.in_(taken))
                .values(lease_until=now + LEASE, tries=_rows.c.tries + 1)
            )
    return tuple(
        Message(row.id, row.sequence, row.incident, row.topic, row.role, row.tries + 1)
        for row in found
    )


def done(store: Store, message: Message, now: datetime) -> None:
    """The message was delivered."""
    with store.write() as connection:
        connection.execute(
            update(_rows)
            .where(_rows.c.id == message.id)
            .values(done_at=now, lease_until=None, error="")
        )


def failed(store: Store, message: Message, now: datetime, error: str) -> None:
    """The message was not delivered: it is tried again, with growing intervals."""
    wait = min(PATIENCE, timedelta(seconds=15) * 2 ** min(message.tries, 10))
    with store.write() as connection:
        connection.execute(
            update(_rows)
            .where(_rows.c.id == message.id)
            .values(due_at=now + wait, lease_until=None, error=error[:500].replace("\0", "�"))
        )


def to_log(message: Message) -> None:
    """Deliver a message as one line in the log."""
    _log.info("message to %s: %s %s", message.role, message.incident, message.topic)


def deliver(store: Store, now: datetime, send: Callable[[Message], None] = to_log) -> int:
    """Send what is due; returns how many messages arrived. Raises ``StoreUnavailable``."""
    arrived = 0
    for message in claim_due(store, now):
        try:
            send(message)
        except Exception as error:  # noqa: BLE001 - a channel may fail in any way; it is kept and tried again
            failed(store, message, now, str(error))
        else:
            done(store, message, now)
            arrived += 1
    return arrived
