"""All accounts and all assignments of roles, in one read of the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select

from incidents.model import Assignment, Basis, Person, Signer
from incidents.store import tables

_people, _held = tables.people, tables.assignments

PERSON = tuple(column for column in _people.c if column.name != "password")
"""The columns a person is made of."""


@dataclass(frozen=True, slots=True)
class Directory:
    """People and their assignments, past and future ones included, by username."""

    people: Mapping[str, Person]
    assignments: Mapping[str, tuple[Assignment, ...]]

    @property
    def names(self) -> dict[str, str]:
        """Username to printed name, of everybody."""
        return {username: person.name for username, person in self.people.items()}

    def signer(self, username: str, on: date) -> Signer | None:
        """An active person with the roles of the day; None if unknown or inactive."""
        person = self.people.get(username)
        if person is None or not person.active:
            return None
        return Signer(person, tuple(each for each in self.assignments[username] if each.valid(on)))

    def with_history(self, signer: Signer) -> Signer:
        """The signer with every assignment on record, so that a refusal can say when one ended."""
        kept = self.assignments.get(signer.person.username, ())
        return replace(signer, assignments=kept) if kept else signer

    def holders(self, on: date) -> dict[str, dict[str, str]]:
        """Role to the active people who hold it on a day: username to printed name."""
        found: dict[str, dict[str, str]] = {}
        for username, held in self.assignments.items():
            person = self.people[username]
            for each in held:
                if person.active and each.valid(on):
                    found.setdefault(each.role, {})[username] = person.name
        return found


def read(connection: Connection, username: str | None = None) -> Directory:
    """Everybody, or one person; an empty directory if there is no such person."""
    query = (
        select(*PERSON, *(column.label(f"held_{column.name}") for column in _held.c))
        .outerjoin(_held, _held.c.username == _people.c.username)
        .order_by(_people.c.username, _held.c.id)
    )
    if username is not None:
        query = query.where(_people.c.username == known_name(username))
    people: dict[str, Person] = {}
    held: dict[str, tuple[Assignment, ...]] = {}
    for row in connection.execute(query):
        people.setdefault(row.username, person_of(row))
        before = held.get(row.username, ())
        held[row.username] = (
            before if row.held_id is None else (*before, assignment_of(row, "held_"))
        )
    return Directory(people, held)


def known_name(username: str) -> str:
    """The username as it can be looked for: PostgreSQL refuses NUL, which no name contains."""
    return username.replace("\0", "\ufffd")


def account(connection: Connection, username: str) -> Row[Any] | None:
    """The account of that name with its password hash."""
    query = select(_people).where(_people.c.username == known_name(username))
    return connection.execute(query).first()


def person_of(row: Row[Any]) -> Person:
    """The person of a row that holds the columns ``PERSON``."""
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
    return tuple(assignment_of(row) for row in connection.execute(query))


def assignment_of(row: Row[Any], prefix: str = "") -> Assignment:
    """The assignment of a row; ``prefix`` stands before its columns in a join."""
    kept = row._mapping
    first, last = kept[f"{prefix}valid_from"], kept[f"{prefix}valid_to"]
    return Assignment(
        username=kept[f"{prefix}username"],
        role=kept[f"{prefix}role"],
        basis=Basis(kept[f"{prefix}basis"]),
        letter_number=kept[f"{prefix}letter_number"],
        valid_from=date.fromisoformat(first) if first else None,
        valid_to=date.fromisoformat(last) if last else None,
    )
