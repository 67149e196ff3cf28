"""A small volume that fills up, and what fills it.

What takes hours in an office takes a round each here: between two rounds the primary writes, and
earlier readings are made five minutes older.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits, Severity
from tests.lab.mysql.world import World
from tests.lab.scenario import PATIENT, PRIMARY, WARNS, Fault
from tests.lab.volume import needed

FIVE_MINUTES = 300.0
MEGABYTES_A_ROUND = 3
"""Of the 64 the volume has."""
IMPORTED = 8
"""Photos of 1 MB."""


@contextmanager
def one_photo(world: World) -> Iterator[None]:
    """A table that does not grow, however often its one row is written."""
    needed(world.volume)
    _purge(world)
    world.primary.sql("CREATE TABLE app.foto (id INT PRIMARY KEY, isi LONGBLOB)")
    try:
        yield
    finally:
        world.primary.sql("DROP TABLE app.foto")
        _purge(world)


@contextmanager
def sync_loop(world: World) -> Iterator[None]:
    """An application that rewrites one photo again and again: all of it goes to the log."""
    uploads(world)
    yield
    _purge(world)


def uploads(world: World) -> None:
    photo = "REPLACE INTO app.foto VALUES (1, repeat(uuid(), 28000))"  # 1 MB, and another one
    world.primary.sql(*[photo] * MEGABYTES_A_ROUND)
    world.wait_whole()  # five minutes pass: a replica still reading would be one falling behind


@contextmanager
def import_left_open(world: World) -> Iterator[None]:
    """What a transaction has to log is kept in a file that was deleted as soon as it was made."""
    with world.session(*["INSERT INTO foto VALUES (NULL, repeat(uuid(), 28000))"] * IMPORTED):
        yield
    world.wait_whole()


@contextmanager
def photos(world: World) -> Iterator[None]:
    world.primary.sql("CREATE TABLE app.foto (id INT AUTO_INCREMENT PRIMARY KEY, isi LONGBLOB)")
    yield
    world.primary.sql("DROP TABLE app.foto")
    world.wait_whole()


def _purge(world: World) -> None:
    """Logs that the replica has read go."""
    world.wait_whole()
    world.primary.sql("FLUSH BINARY LOGS")
    newest = world.primary.sql("SHOW BINARY LOGS")[-1]["Log_name"]
    world.primary.sql(f"PURGE BINARY LOGS TO '{newest}'")


FAULTS = (
    Fault(
        "disk/binlog_fills_it", "mysql", sync_loop, PRIMARY, "disk_growth", "filled_by_in_seconds",
        "volume", ("binary log", "is filling volume", "binlog", "full in"), evidence=("binlog",),
        limits={"disk_growth.filled_by_in_seconds": WARNS}, severity=Severity.WARNING,
        given=one_photo, meanwhile=uploads, seconds_a_round=FIVE_MINUTES, local=True,
        small_volume=True, flavours=("mariadb",), deadline=PATIENT,
    ),
    Fault(
        "disk/deleted_and_open", "mysql", import_left_open, PRIMARY, "deleted_files",
        "deleted_files_bytes", "volume", ("deleted files that are still open take room",),
        evidence=("tmp/",), severity=Severity.WARNING, given=photos, host=("deleted_files",),
        flavours=("mariadb",), deadline=PATIENT,
        versions=(0, 110700),  # from there on that file has a name, in #binlog_cache_files
        limits={
            "deleted_files.deleted_files_bytes": Limits(
                warning=IMPORTED * 0.8e6, raise_after=2, opens=Severity.WARNING
            )
        },
    ),
)  # fmt: skip
