"""Commands ``sigap people``: accounts and roles, also before anybody can sign in."""

from __future__ import annotations

import argparse
from datetime import date

from agent.commands.desk import PASSWORD, desk, now
from agent.commands.words import language_of, password, print_json, table
from agent.errors import LocalizedError
from incidents.model import Assignment, Basis, Person
from probes import Text

_ADDED = Text("added {username}; give a role with: sigap people assign {username} ROLE")
_ASSIGNED = Text("{username} is {role} ({basis})")
_CHANGED = Text("the password of {username} is changed; sessions have ended")
_NEW_PASSWORD = Text("New password of {username}")
_HEADS = (
    Text("USERNAME"),
    Text("NAME"),
    Text("ROLES TODAY"),
    Text(""),
)
_OFF = Text("off")
_NO_DAY = Text("'{text}' is not a day; write it as YYYY-MM-DD, e.g. 2026-12-31")


def add(given: argparse.Namespace) -> int:
    """``sigap people add``."""
    person = Person(
        username=given.username,
        name=given.name,
        nip=given.nip,
        position=given.position,
        rank=given.rank,
        email=given.email,
        language=given.language,
    )
    with desk(given) as (config, opened):
        language = language_of(given, config)
        asked = PASSWORD.format(username=given.username)
        secret = password(given.password_file, asked, language, twice=True)
        opened.people.add(person, secret, now())
    print(_ADDED.format(username=person.username).said_in(language))
    return 0


def listing(given: argparse.Namespace) -> int:
    """``sigap people list``: with the roles of today."""
    with desk(given, reading=True) as (config, opened):
        language = language_of(given, config)
        today = opened.calendar.local(now()).date()
        found = [(p, opened.people.roles_today(p.username, today)) for p in opened.people.all()]
    if given.json:
        print_json([{"person": person, "assignments": roles} for person, roles in found])
        return 0
    rows = [
        (
            p.username,
            p.name,
            ", ".join(a.role for a in roles) or "-",
            "" if p.active else _OFF.said_in(language),
        )
        for p, roles in found
    ]
    print(table([head.said_in(language) for head in _HEADS], rows))
    return 0


def assign(given: argparse.Namespace) -> int:
    """``sigap people assign``."""
    with desk(given) as (config, opened):
        known = {role.casefold(): role for role in opened.desk.queries.roles_in_use()}
        assignment = Assignment(
            username=given.username,
            role=known.get(given.role.casefold(), given.role),
            basis=Basis(given.basis),
            letter_number=given.letter,
            valid_from=_day(given.valid_from),
            valid_to=_day(given.valid_to),
        )
        opened.people.assign(assignment, now())
    said = _ASSIGNED.format(
        username=assignment.username, role=assignment.role, basis=assignment.basis.value
    )
    print(said.said_in(language_of(given, config)))
    return 0


def passwd(given: argparse.Namespace) -> int:
    """``sigap people passwd``: ends every session of the person."""
    with desk(given) as (config, opened):
        language = language_of(given, config)
        asked = _NEW_PASSWORD.format(username=given.username)
        secret = password(given.password_file, asked, language, twice=True)
        opened.people.set_password(given.username, secret, now())
    print(_CHANGED.format(username=given.username).said_in(language))
    return 0


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise LocalizedError(_NO_DAY.format(text=text)) from None
