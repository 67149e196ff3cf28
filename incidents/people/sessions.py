"""Signing in: checks passwords, slows down repeated failures, starts and ends sessions."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from incidents.model import Assignment, Person, Refused, Signer
from incidents.people import passwords
from incidents.people.directory import PERSON, account, assignment_of, person_of
from incidents.store import Store, tables
from probes import Text

IDLE = timedelta(hours=2)
"""A session unused for this long has ended."""

LONGEST = timedelta(hours=12)
"""No session lasts longer, used or not."""

FREE_FAILURES = 5
"""Wrong passwords from one address before it has to wait."""

_SEEN_STEP = timedelta(minutes=1)  # activity is written no oftener than this

_people, _held = tables.people, tables.assignments
_sessions, _attempts = tables.sessions, tables.attempts


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who signed in. ``token`` goes into the cookie and is kept nowhere else."""

    token: str
    csrf: str  # derived from the token; forms carry it back
    person: Person
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as found in the store."""

    session: SignedIn
    assignments: tuple[Assignment, ...]  # every one on record, also past and future ones
    seen_at: datetime

    def signer(self, on: date) -> Signer:
        """The person with the roles of a day."""
        held = tuple(each for each in self.assignments if each.valid(on))
        return Signer(self.session.person, held)


class Sessions:
    """Signs people in and out over a store. Raises ``Refused`` and ``StoreUnavailable``."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def check(self, username: str, password: str, address: str, now: datetime) -> Person:
        """The person with this name and password; raises ``Refused`` with one sentence that does
        not tell which of the two was wrong, and after repeated failures asks to wait."""
        username = username.strip().lower()
        key = hashlib.sha256(f"{username}\n{address}".encode("utf-8", "replace")).hexdigest()
        with self.store.read() as connection:
            row = account(connection, username)
            query = select(_attempts).where(_attempts.c.key == key)
            attempts = connection.execute(query).first()
        wait = _wait(attempts, now)
        if wait:
            raise Refused(
                Text(
                    "Too many attempts to sign in; try again in {n} minutes.",
                    n=max(1, -(-wait.seconds // 60)),
                )
            )
        kept = row.password if row is not None and row.active else None
        right = passwords.matches(kept, password)
        if not right or row is None:
            with self.store.write() as connection:
                _count_failure(connection, key, now)
            raise Refused(Text("The username or the password does not match."))
        renewed = passwords.hashed(password) if passwords.outdated(row.password) else ""
        if attempts is not None or renewed:
            self._remember_success(key, row, renewed)
        return person_of(row)

    def sign_in(self, username: str, password: str, address: str, now: datetime) -> SignedIn:
        """``check``, then a new session."""
        person = self.check(username, password, address, now)
        token = secrets.token_urlsafe(32)
        with self.store.write() as connection:
            connection.execute(
                insert(_sessions).values(
                    token_hash=_token_hash(token),
                    username=person.username,
                    started_at=now,
                    seen_at=now,
                    expires_at=now + LONGEST,
                )
            )
        return SignedIn(token, _csrf(token), person, now, now + LONGEST)

    def seen(self, found: StoredSession, now: datetime) -> None:
        """Record that the session is used; written once a minute at most."""
        if now - found.seen_at >= _SEEN_STEP:
            key = _token_hash(found.session.token)
            with self.store.write() as connection:
                connection.execute(
                    update(_sessions).where(_sessions.c.token_hash == key).values(seen_at=now)
                )

    def sign_out(self, token: str) -> None:
        """End a session; one that is unknown has ended already."""
        with self.store.write() as connection:
            connection.execute(
                delete(_sessions).where(_sessions.c.token_hash == _token_hash(token))
            )

    def clean_up(self, now: datetime) -> int:
        """Forget sessions that have ended and old failed attempts; returns how many."""
        with self.store.write() as connection:
            ended = connection.execute(
                delete(_sessions).where(
                    (_sessions.c.expires_at <= now) | (_sessions.c.seen_at <= now - IDLE)
                )
            )
            old = connection.execute(
                delete(_attempts).where(_attempts.c.last_at <= now - timedelta(days=1))
            )
        return ended.rowcount + old.rowcount

    def _remember_success(self, key: str, row: Row[Any], renewed: str) -> None:
        with self.store.write() as connection:
            connection.execute(delete(_attempts).where(_attempts.c.key == key))
            if renewed:
                # only over the hash that was checked: a password set meanwhile stays
                connection.execute(
                    update(_people)
                    .where(_people.c.username == row.username, _people.c.password == row.password)
                    .values(password=renewed)
                )


def find(connection: Connection, token: str, now: datetime) -> StoredSession | None:
    """The session of a cookie with the person's assignments; None if unknown, ended, idle or too
    old. Reads only: one statement in the caller's transaction."""
    query = (
        select(
            _sessions.c.started_at,
            _sessions.c.seen_at,
            _sessions.c.expires_at,
            *PERSON,
            *(column.label(f"held_{column.name}") for column in _held.c),
        )
        .join(_people, _people.c.username == _sessions.c.username)
        .outerjoin(_held, _held.c.username == _people.c.username)
        .where(_sessions.c.token_hash == _token_hash(token))
        .order_by(_held.c.id)
    )
    rows = connection.execute(query).all()
    if not rows or not rows[0].active:
        return None
    row = rows[0]
    if now >= row.expires_at or now - row.seen_at >= IDLE:
        return None
    session = SignedIn(token, _csrf(token), person_of(row), row.started_at, row.expires_at)
    held = tuple(assignment_of(each, "held_") for each in rows if each.held_id is not None)
    return StoredSession(session, held, row.seen_at)


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _csrf(token: str) -> str:
    return hashlib.sha256(b"csrf\n" + token.encode("utf-8", "replace")).hexdigest()


def _wait(attempts: Row[Any] | None, now: datetime) -> timedelta:
    """How long this name from this address still has to wait; it doubles, up to 15 minutes."""
    if attempts is None or attempts.failures < FREE_FAILURES:
        return timedelta()
    pause: timedelta = timedelta(seconds=30) * 2 ** min(attempts.failures - FREE_FAILURES, 5)
    pause = min(pause, timedelta(minutes=15))
    last: datetime = attempts.last_at
    # a clock set back does not lengthen the wait
    return max(timedelta(), min(last + pause - now, pause))


def _count_failure(connection: Connection, key: str, now: datetime) -> None:
    changed = connection.execute(
        update(_attempts)
        .where(_attempts.c.key == key)
        .values(failures=_attempts.c.failures + 1, last_at=now)
    )
    if changed.rowcount == 0:
        connection.execute(insert(_attempts).values(key=key, failures=1, last_at=now))
