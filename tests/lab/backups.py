"""Backups of a nightly job, good and missing; the file's modification time is their age."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from tests.lab.scenario import PRIMARY, Break, Fault

LAST_NIGHT_HOURS = 8.0
FOUR_DAYS_HOURS = 96.0


class Kept(Protocol):
    """A world whose primary is configured with the place of its backups."""

    @property
    def backups(self) -> Path: ...


World = TypeVar("World", bound=Kept)


def aged(file: Path, hours: float) -> None:
    """Set the modification time to so long ago."""
    then = time.time() - hours * 3600
    os.utime(file, (then, then))


@contextmanager
def every_night(world: Kept) -> Iterator[None]:
    """The job touches its mark at its end, and did so last night."""
    world.backups.touch()
    aged(world.backups, LAST_NIGHT_HOURS)
    try:
        yield
    finally:
        world.backups.unlink()


@contextmanager
def not_since_friday(world: Kept) -> Iterator[None]:
    """The job fails every night, and nobody reads its mail."""
    aged(world.backups, FOUR_DAYS_HOURS)
    yield
    world.backups.touch()


def fault(
    name: str, engine: str, inject: Break[World], given: Break[World], *words: str
) -> Fault[World]:
    """A scenario of backups: the probe is the host's, whatever the engine."""
    return Fault(
        f"backup/{name}", engine, inject, PRIMARY, "backup_age", "backup_age_seconds", "backup",
        words, host=("backup_age",), given=given,
    )  # fmt: skip
