"""The five people of the demo's office, one for each role of the procedure.

Names and numbers are invented and cannot belong to a person; passwords are random, returned once
and stored only as hashes.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from incidents.model import Assignment, Person

if TYPE_CHECKING:
    from incidents.people.accounts import People

LETTER = "000/DEMO/ST/2026"
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else

_STAFF = Path(__file__).with_name("staff.yaml")


def _staff() -> tuple[tuple[str, Person], ...]:
    found = YAML(typ="safe").load(_STAFF)
    return tuple((each.pop("role"), Person(**each)) for each in found)


STAFF = _staff()


def password() -> str:
    """Twelve random characters in three groups, easy to copy by hand."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3))


def settle(people: People, now: datetime) -> dict[str, str]:
    """Create the people; returns username -> password of those who did not exist before."""
    made: dict[str, str] = {}
    for role, person in STAFF:
        if people.person(person.username) is not None:
            continue
        word = password()
        people.add(person, word, now)
        people.assign(Assignment(person.username, role, letter_number=LETTER), now)
        made[person.username] = word
    return made
