"""Errors of a store, each as one sentence with the next move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from probes import Text


class StoreUnavailable(Exception):
    """The store could not be used; nothing was changed.

    ``passing``: it may work later without a change to the configuration.
    """

    def __init__(self, sentence: Text, *, passing: bool = False) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence
        self.passing = passing


_SENTENCES: tuple[tuple[tuple[str, ...], Text], ...] = (
    # (any of these in the driver's words, what to say); the first match counts
    (
        ("readonly database", "read-only transaction", "permission denied", "readonly"),
        Text("The store {where} is read-only; give the user of this service the right to write."),
    ),
    (
        ("disk is full", "no space left", "diskfull", "could not extend file"),
        Text("The store {where} is full; free space on its volume."),
    ),
    (
        ("is locked", "lock timeout", "canceling statement due to"),
        Text("The store {where} is locked by another process; try again, or end that process."),
    ),
    (
        ("unable to open database",),
        Text("The store file {where} cannot be opened; check its folder and its permissions."),
    ),
    (
        ("malformed", "not a database"),
        Text("The store file {where} is damaged or no Sigap store; restore the last backup."),
    ),
    (
        ("disk i/o error",),
        Text("The store {where} could not be read or written; check its volume."),
    ),
    (
        ("password authentication failed", "no pg_hba.conf entry", "does not exist"),
        Text("The store {where} refuses the login; check its user, password and database."),
    ),
)

_PASSING = ("disk is full", "is locked")
"""The first words of the errors above that end without a change to the configuration."""

_UNREACHABLE = Text("The store {where} does not answer; check that its server is running.")


_NEEDS_ITS_OWNER = Text(
    "The store {where} cannot be read just now without the right to write; start Sigap, or run "
    "this command as {owner}."
)
"""An interrupted write must be rolled back first, or a write-ahead log has no process."""

_WRITES = ("readonly", "unable to open")
"""SQLite's errors when reading would begin with a write (SQLITE_READONLY_*, SQLITE_CANTOPEN)."""


def unavailable(error: BaseException, where: str, owner: str = "") -> StoreUnavailable:
    """The sentence for a driver's error; ``where`` names the store without its password.

    ``owner``: the owner of a SQLite file that is only read here.
    """
    words = str(getattr(error, "orig", None) or error).lower()
    if owner and any(needle in words for needle in _WRITES):
        return StoreUnavailable(_NEEDS_ITS_OWNER.format(where=where, owner=owner), passing=True)
    for needles, sentence in _SENTENCES:
        if any(needle in words for needle in needles):
            return StoreUnavailable(sentence.format(where=where), passing=needles[0] in _PASSING)
    return StoreUnavailable(_UNREACHABLE.format(where=where), passing=True)


@contextmanager
def spoken(where: str, owner: str = "") -> Iterator[None]:
    """Turn the driver's errors into ``StoreUnavailable``; constraint violations and bugs pass
    through.
    """
    try:
        yield
    except (exc.IntegrityError, exc.DataError):
        raise
    except exc.ProgrammingError as error:
        if "permission denied" not in str(error.orig).lower():
            raise
        raise unavailable(error, where) from error
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise unavailable(error, where, owner) from error
