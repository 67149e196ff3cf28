"""Why: accounts and roles are set up from the command line, before anybody can sign in."""

from __future__ import annotations

import argparse
from datetime import date

from agent.commands.desk import desk, now
from agent.commands.words import password, print_json, table
from agent.trouble import Trouble
from incidents.model import Assignment, Basis, Person


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
    with desk(given) as (_, opened):
        secret = password(given.password_file, f"Password of {given.username}", twice=True)
        opened.people.add(person, secret, now())
    print(f"added {person.username}; give a role with: sigap people assign {person.username} ROLE")
    return 0


def listing(given: argparse.Namespace) -> int:
    """``sigap people list``: with the roles of today."""
    with desk(given) as (_, opened):
        today = opened.calendar.local(now()).date()
        found = [(p, opened.people.roles_today(p.username, today)) for p in opened.people.all()]
    if given.json:
        print_json([{"person": person, "assignments": roles} for person, roles in found])
        return 0
    rows = [
        (p.username, p.name, ", ".join(a.role for a in roles) or "-", "" if p.active else "off")
        for p, roles in found
    ]
    print(table(("USERNAME", "NAME", "ROLES TODAY", ""), rows))
    return 0


def assign(given: argparse.Namespace) -> int:
    """``sigap people assign``."""
    assignment = Assignment(
        username=given.username,
        role=given.role.upper(),
        basis=Basis(given.basis),
        letter_number=given.letter,
        valid_from=_day(given.valid_from),
        valid_to=_day(given.valid_to),
    )
    with desk(given) as (_, opened):
        opened.people.assign(assignment, now())
    print(f"{assignment.username} is {assignment.role} ({assignment.basis.value})")
    return 0


def passwd(given: argparse.Namespace) -> int:
    """``sigap people passwd``: ends every session of the person."""
    with desk(given) as (_, opened):
        secret = password(given.password_file, f"New password of {given.username}", twice=True)
        opened.people.set_password(given.username, secret, now())
    print(f"the password of {given.username} is changed; sessions have ended")
    return 0


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Trouble(f"{text!r} is not a day; write YYYY-MM-DD") from None
