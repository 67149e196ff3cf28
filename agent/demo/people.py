"""The five people of the demo's office, one for each role of the procedure.

Names and numbers are invented and cannot belong to a person; passwords are random, returned once
and stored only as hashes.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from incidents.model import Assignment, Person

if TYPE_CHECKING:
    from incidents.people.accounts import People

LETTER = "000/DEMO/ST/2026"
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else

# NIPs begin with a birthday; nobody in service was born in 1900.
STAFF: tuple[tuple[str, Person], ...] = (
    (
        "PP",
        Person(
            "rina",
            "Rina Oktaviani, S.Kom.",
            "19000101 192001 2 001",
            "Pemeriksa dan Pengelola Teknologi Informasi",
            "Penata Muda Tk. I (III/b)",
        ),
    ),
    (
        "AJ",
        Person(
            "bayu",
            "Bayu Firmansyah, S.T.",
            "19000202 192001 1 002",
            "Administrator Jaringan dan Server",
            "Penata Muda (III/a)",
        ),
    ),
    (
        "PW",
        Person(
            "yuliana",
            "Yuliana Awang, S.Kom., M.T.",
            "19000303 192001 2 003",
            "Kepala Seksi Pengelolaan Data dan Integrasi Sistem Informasi",
            "Penata Tk. I (III/d)",
        ),
    ),
    (
        "PA",
        Person(
            "hasanudin",
            "Hasanudin Noor, S.T., M.Si.",
            "19000404 192001 1 004",
            "Kepala Bidang Teknologi Informasi dan Komunikasi",
            "Pembina (IV/a)",
        ),
    ),
    (
        "KD",
        Person(
            "margaretha",
            "Dr. Margaretha Lawing, M.Si.",
            "19000505 192001 2 005",
            "Kepala Dinas Komunikasi dan Informatika",
            "Pembina Utama Muda (IV/c)",
        ),
    ),
)


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
