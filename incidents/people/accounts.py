"""Accounts of the people who may sign, and their roles by letter of assignment.

Passwords are stored as argon2id hashes. Roles are valid for dates: see ``roles_today``. Sessions
are in ``incidents.people.sessions``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from incidents.model import Assignment, Basis, Person, Refused, Signer
from incidents.people import directory, passwords
from incidents.people.directory import account, person_of
from incidents.store import Store, tables
from probes import Text
from probes.i18n import languages

Roles = Callable[[], Mapping[str, Collection[Basis]]]
"""Returns the present roles, each with the bases on which others may act in it."""

_USERNAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")

_people, _held = tables.people, tables.assignments
_sessions, _attempts = tables.sessions, tables.attempts


class People:
    """Accounts in a store. Refusals are ``Refused``; an unavailable store is
    ``StoreUnavailable``.
    """

    def __init__(self, store: Store, roles: Roles | None = None) -> None:
        """``roles`` None: the caller checks role codes itself."""
        self.store = store
        self._roles = roles

    def add(self, person: Person, password: str, now: datetime) -> None:
        """Add an account; refuses a taken name, a malformed one and a weak password."""
        _demand_sound(person)
        passwords.demand_good(password, person.username)
        kept = passwords.hashed(password)
        with self.store.write() as connection:
            if account(connection, person.username) is not None:
                raise Refused(
                    Text("The username {name} is taken; choose another.", name=person.username)
                )
            connection.execute(
                insert(_people).values(
                    **_facts(person), password=kept, created_at=now, changed_at=now
                )
            )

    def all(self) -> tuple[Person, ...]:
        """All accounts, by username."""
        with self.store.read() as connection:
            rows = connection.execute(select(_people).order_by(_people.c.username))
            return tuple(person_of(row) for row in rows)

    def person(self, username: str) -> Person | None:
        """The account of that name, active or not."""
        with self.store.read() as connection:
            row = account(connection, username)
        return None if row is None else person_of(row)

    def update(self, person: Person, now: datetime) -> None:
        """Replace the data of an account; deactivating it ends its sessions."""
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
            if account(connection, assignment.username) is None:
                raise _unknown(assignment.username)
            if assignment in directory.assignments_of(connection, assignment.username):
                raise Refused(
                    Text(
                        "{name} already holds the role {role} with the same letter and dates; "
                        "nothing was changed.",
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
            return directory.assignments_of(connection, username)

    def roles_today(self, username: str, on: date) -> tuple[Assignment, ...]:
        """The assignments valid on a day of the calendar's zone."""
        return tuple(each for each in self.assignments(username) if each.valid(on))

    def signer(self, username: str, on: date) -> Signer | None:
        """An active person with the roles of the day; None if unknown or inactive."""
        with self.store.read() as connection:
            found = directory.read(connection, username)
        return found.signer(username, on)


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
    if person.language not in languages():
        *first, last = languages()
        known = Text("{first} or {second}", first=", ".join(first), second=last)
        raise Refused(Text("The language is {known}.", known=known))


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


def _end_sessions(connection: Connection, username: str) -> None:
    connection.execute(delete(_sessions).where(_sessions.c.username == username))
