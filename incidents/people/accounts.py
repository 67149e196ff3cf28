"""Accounts of the people who may sign, and their roles by letter of assignment.

Passwords are kept as argon2id hashes. Roles are a question of the day: see ``roles_today``.
Signing in is in ``incidents.people.sessions``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from incidents.model import Assignment, Basis, Person, Refused, Signer
from incidents.people import passwords
from incidents.store import Store, tables
from probes import Text

Roles = Callable[[], Mapping[str, Collection[Basis]]]
"""Tells the roles there are now, each with the bases on which others may act in it."""

_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")

_people, _held = tables.people, tables.assignments
_sessions = tables.sessions


class People:
    """Accounts over a store. Refusals are ``Refused``; a dead store is ``StoreUnavailable``."""

    def __init__(self, store: Store, roles: Roles | None = None) -> None:
        """``roles`` None: whoever assigns knows what roles there are."""
        self.store = store
        self._roles = roles

    def add(self, person: Person, password: str, now: datetime) -> None:
        """Add an account; refuses a taken name, a malformed one and a weak password."""
        _demand_sound(person)
        passwords.demand_good(password, person.username)
        kept = passwords.hashed(password)
        with self.store.write() as connection:
            if row_of(connection, person.username) is not None:
                raise Refused(
                    Text("The username {name} is taken; choose another.", name=person.username)
                )
            connection.execute(
                insert(_people).values(
                    **_facts(person), password=kept, created_at=now, changed_at=now
                )
            )

    def all(self) -> tuple[Person, ...]:
        """Everybody, by username."""
        with self.store.read() as connection:
            rows = connection.execute(select(_people).order_by(_people.c.username))
            return tuple(person_of(row) for row in rows)

    def person(self, username: str) -> Person | None:
        """The account of that name, active or not."""
        with self.store.read() as connection:
            row = row_of(connection, username)
        return None if row is None else person_of(row)

    def update(self, person: Person, now: datetime) -> None:
        """Replace the facts of an account; making it inactive ends its sessions."""
        _demand_sound(person)
        with self.store.write() as connection:
            changed = connection.execute(
                update(_people)
                .where(_people.c.username == person.username)
                .values(**_facts(person), changed_at=now)
            )
            if changed.rowcount == 0:
                raise _unknown(person.username)
            if not person.active:
                _end_sessions(connection, person.username)

    def set_password(self, username: str, password: str, now: datetime) -> None:
        """Set a new password and end every session of this person."""
        passwords.demand_good(password, username)
        kept = passwords.hashed(password)
        with self.store.write() as connection:
            changed = connection.execute(
                update(_people)
                .where(_people.c.username == username)
                .values(password=kept, changed_at=now)
            )
            if changed.rowcount == 0:
                raise _unknown(username)
            _end_sessions(connection, username)

    def assign(self, assignment: Assignment, now: datetime) -> None:
        """Give a role; refuses an unknown role or person, and a period that ends before it
        begins."""
        if self._roles is not None:
            _demand_role(assignment, self._roles())
        first, last = assignment.valid_from, assignment.valid_to
        if first and last and last < first:
            raise Refused(Text("The period ends before it begins; check both dates."))
        with self.store.write() as connection:
            if row_of(connection, assignment.username) is None:
                raise _unknown(assignment.username)
            if assignment in assignments_of(connection, assignment.username):
                raise Refused(
                    Text(
                        "{name} already holds the role {role} like that; nothing was changed.",
                        name=assignment.username,
                        role=assignment.role,
                    )
                )
            connection.execute(
                insert(_held).values(
                    username=assignment.username,
                    role=assignment.role,
                    basis=assignment.basis.value,
                    letter_number=assignment.letter_number,
                    valid_from=first.isoformat() if first else None,
                    valid_to=last.isoformat() if last else None,
                    created_at=now,
                )
            )

    def assignments(self, username: str) -> tuple[Assignment, ...]:
        """Every assignment a person ever had, the oldest first."""
        with self.store.read() as connection:
            return assignments_of(connection, username)

    def roles_today(self, username: str, on: date) -> tuple[Assignment, ...]:
        """The assignments valid on a day of the calendar's zone."""
        return tuple(each for each in self.assignments(username) if _valid(each, on))

    def signer(self, username: str, on: date) -> Signer | None:
        """An active person with the roles of the day; None if unknown or inactive."""
        with self.store.read() as connection:
            row = row_of(connection, username)
            if row is None or not row.active:
                return None
            held = assignments_of(connection, username)
        return Signer(person_of(row), tuple(each for each in held if _valid(each, on)))

    def holders(self, role: str, on: date) -> tuple[Signer, ...]:
        """The active people who hold a role on a day, by username."""
        with self.store.read() as connection:
            names = holders_by_role(connection, on).get(role, ())
        found = (self.signer(name, on) for name in names)
        return tuple(each for each in found if each is not None)


def holders_by_role(connection: Connection, on: date) -> Mapping[str, tuple[str, ...]]:
    """Role to the usernames of the active people who hold it on a day."""
    query = (
        select(_held)
        .join(_people, _people.c.username == _held.c.username)
        .where(_people.c.active == 1)
        .order_by(_held.c.username)
    )
    found: dict[str, dict[str, None]] = {}
    for row in connection.execute(query):
        if _valid(_assignment(row), on):
            found.setdefault(row.role, {})[row.username] = None
    return {role: tuple(names) for role, names in found.items()}


def names(connection: Connection) -> Mapping[str, str]:
    """Username to printed name, of everybody."""
    rows = connection.execute(select(_people.c.username, _people.c.name))
    return {row.username: row.name for row in rows}


def _valid(assignment: Assignment, on: date) -> bool:
    first, last = assignment.valid_from, assignment.valid_to
    return (first is None or first <= on) and (last is None or on <= last)


def _demand_role(assignment: Assignment, roles: Mapping[str, Collection[Basis]]) -> None:
    if assignment.role not in roles:
        raise Refused(
            Text(
                "The role {role} is not known; choose one of {roles}.",
                role=assignment.role,
                roles=", ".join(sorted(roles)),
            )
        )
    if assignment.basis not in (Basis.DEFINITIVE, *roles[assignment.role]):
        raise Refused(
            Text(
                "The role {role} cannot be held as {basis}.",
                role=assignment.role,
                basis=assignment.basis.value,
            )
        )


def _demand_sound(person: Person) -> None:
    if not _USERNAME.fullmatch(person.username):
        raise Refused(
            Text(
                "A username is 2-32 small letters, digits, dots, underscores or hyphens, "
                "and begins with a letter."
            )
        )
    if person.username == "sigap":
        raise Refused(Text("The username sigap belongs to the system; choose another."))
    if not person.name.strip():
        raise Refused(Text("Give the full name, with titles."))
    if person.language not in ("id", "en"):
        raise Refused(Text("The language is id or en."))


def _unknown(username: str) -> Refused:
    return Refused(Text("There is no user {name}; see `sigap people list`.", name=username))


def _facts(person: Person) -> dict[str, Any]:
    return {
        "username": person.username,
        "name": person.name,
        "nip": person.nip,
        "position": person.position,
        "rank": person.rank,
        "email": person.email,
        "language": person.language,
        "active": int(person.active),
    }


def row_of(connection: Connection, username: str) -> Row[Any] | None:
    """The account of that name as it is stored."""
    # a name with NUL is nobody's, and PostgreSQL would refuse to look for it
    name = username.replace("\0", "�")
    return connection.execute(select(_people).where(_people.c.username == name)).first()


def person_of(row: Row[Any]) -> Person:
    """The person of a stored account."""
    return Person(
        username=row.username,
        name=row.name,
        nip=row.nip,
        position=row.position,
        rank=row.rank,
        email=row.email,
        language=row.language,
        active=bool(row.active),
    )


def assignments_of(connection: Connection, username: str) -> tuple[Assignment, ...]:
    """Every assignment a person ever had, the oldest first."""
    query = select(_held).where(_held.c.username == username).order_by(_held.c.id)
    return tuple(_assignment(row) for row in connection.execute(query))


def _assignment(row: Row[Any]) -> Assignment:
    return Assignment(
        username=row.username,
        role=row.role,
        basis=Basis(row.basis),
        letter_number=row.letter_number,
        valid_from=date.fromisoformat(row.valid_from) if row.valid_from else None,
        valid_to=date.fromisoformat(row.valid_to) if row.valid_to else None,
    )


def _end_sessions(connection: Connection, username: str) -> None:
    connection.execute(delete(_sessions).where(_sessions.c.username == username))
