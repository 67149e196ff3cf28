"""People who may sign: accounts, roles by letter of assignment, and sessions.

Passwords are kept as argon2id hashes, session tokens only as their SHA-256. Whether a name exists
cannot be told from how long or how the answer comes. Roles are a question of the day: see
``roles_today``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from incidents.model import Assignment, Person, Signer
from incidents.store import Store


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. ``token`` goes into the cookie and is kept nowhere else."""

    token: str
    csrf: str  # derived from the token; forms carry it back
    person: Person
    started_at: datetime
    expires_at: datetime


class People:
    """Accounts over a store. Refusals are ``Refused``; a dead store is ``StoreUnavailable``."""

    def __init__(self, store: Store) -> None:
        raise NotImplementedError

    def add(self, person: Person, password: str, now: datetime) -> None:
        """Add an account; refuses a taken name, a malformed one and a weak password."""
        raise NotImplementedError

    def all(self) -> tuple[Person, ...]:
        """Everybody, by username."""
        raise NotImplementedError

    def person(self, username: str) -> Person | None:
        raise NotImplementedError

    def update(self, person: Person, now: datetime) -> None:
        """Replace the facts of an account; making it inactive ends its sessions."""
        raise NotImplementedError

    def set_password(self, username: str, password: str, now: datetime) -> None:
        """Set a new password and end every session of this person."""
        raise NotImplementedError

    def assign(self, assignment: Assignment, now: datetime) -> None:
        """Give a role; refuses an unknown role or person and a period that ends before it begins."""
        raise NotImplementedError

    def assignments(self, username: str) -> tuple[Assignment, ...]:
        """Every assignment a person ever had, the oldest first."""
        raise NotImplementedError

    def roles_today(self, username: str, on: date) -> tuple[Assignment, ...]:
        """The assignments valid on a day of the calendar's zone."""
        raise NotImplementedError

    def signer(self, username: str, on: date) -> Signer | None:
        """An active person with the roles of the day; None if unknown or inactive."""
        raise NotImplementedError

    def holders(self, role: str, on: date) -> tuple[Signer, ...]:
        """Who holds a role on a day."""
        raise NotImplementedError

    def check(self, username: str, password: str, address: str, now: datetime) -> Person:
        """The person with this name and password; raises Refused with one sentence that does not
        tell which of the two was wrong, and after repeated failures asks to wait."""
        raise NotImplementedError

    def sign_in(self, username: str, password: str, address: str, now: datetime) -> Session:
        """``check``, then a new session."""
        raise NotImplementedError

    def session(self, token: str, now: datetime) -> Session | None:
        """The session of a cookie; None if unknown, ended, idle or too old. Counts as activity."""
        raise NotImplementedError

    def sign_out(self, token: str) -> None:
        raise NotImplementedError

    def clean_up(self, now: datetime) -> int:
        """Forget sessions that have ended and old failed attempts; returns how many."""
        raise NotImplementedError
