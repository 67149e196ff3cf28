"""Password rules and hashing.

argon2id with 19 MiB, two passes and one lane; at most two at a time, so that many sign-ins cannot
use up the machine's memory.
"""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from incidents.model import Refused
from probes import Text

SHORTEST = 8
LONGEST = 200

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_at_a_time = threading.BoundedSemaphore(2)
_nobody: list[str] = []  # a hash to measure unknown names against, made at first need


def demand_good(password: str, username: str) -> None:
    """Raise ``Refused`` for a password that is too weak."""
    if len(password) < SHORTEST:
        raise Refused(Text("A password has at least {n} characters; use a longer one.", n=SHORTEST))
    if len(password) > LONGEST:
        raise Refused(Text("A password has at most {n} characters; use a shorter one.", n=LONGEST))
    named = len(username) >= 4 and username.lower() in password.lower()
    if named or len(set(password)) < 4:
        raise Refused(
            Text("This password is easy to guess; leave the username out and vary its characters.")
        )


def hashed(password: str) -> str:
    """The password's hash for the store."""
    with _at_a_time:
        return _hasher.hash(_bytes(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether the password matches the hash; takes as long when there is no hash."""
    if kept is None:
        if not _nobody:
            _nobody.append(hashed("nobody has this password"))
        _verified(_nobody[0], password)
        return False
    return _verified(kept, password)


def outdated(kept: str) -> bool:
    """Whether the hash has weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


def _verified(kept: str, password: str) -> bool:
    if len(password) > LONGEST:
        password = ""
    with _at_a_time:
        try:
            return _hasher.verify(kept, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    # a lone surrogate from a JSON body is a wrong password, not a failure
    return password.encode("utf-8", "surrogatepass")
