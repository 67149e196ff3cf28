"""Backups of PostgreSQL that grow old, or break off while their files look new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.backups import (
    FOUR_DAYS_HOURS,
    LAST_NIGHT_HOURS,
    aged,
    every_night,
    fault,
    not_since_friday,
)
from tests.lab.postgresql.world import World
from tests.lab.scenario import Fault
from tests.servers.postgres_programs import run
from tests.servers.postgresql import SUPERUSER


@contextmanager
def dumps_every_night(world: World) -> Iterator[None]:
    """Plain dumps, one a night, side by side."""
    world.backups.mkdir()
    try:
        world.backups.chmod(0o777)  # the servers' user dumps into it
        dump(world, "simpeg-senin.sql", LAST_NIGHT_HOURS)
        yield
    finally:
        shutil.rmtree(world.backups)


def dump(world: World, name: str, hours: float) -> Path:
    """What pg_dump writes, so many hours ago."""
    one, file = world.primary, world.backups / name
    run(
        [
            *(str(one.programs / "pg_dump"), "-h", str(one.folder), "-p", str(one.port)),
            *("-U", SUPERUSER, "-f", str(file), "postgres"),
        ]
    )
    aged(file, hours)
    return file


@contextmanager
def broken_off(world: World) -> Iterator[None]:
    """Four nights later the newest dump is as young as it should be, and ends half-way."""
    aged(world.backups / "simpeg-senin.sql", FOUR_DAYS_HOURS)
    half = dump(world, "simpeg-jumat.sql", LAST_NIGHT_HOURS)
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    aged(half, LAST_NIGHT_HOURS)
    yield
    dump(world, "simpeg-sabtu.sql", 1.0)


FAULTS: tuple[Fault[World], ...] = (
    fault(
        "too_old", "postgresql", not_since_friday, every_night, "the last backup",
        "cadangan", "4 d",
    ),
    fault(
        "broken_off", "postgresql", broken_off, dumps_every_night, "the last backup",
        "simpeg-senin.sql", "4 d",
    ),
)  # fmt: skip
