"""The volume that holds the write-ahead log: full, out of inodes, read only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2

from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault
from tests.lab.volume import needed
from tests.servers.machine import until


@contextmanager
def full(world: World) -> Iterator[None]:
    with needed(world.volume).full():
        yield
    world.wait_whole()


@contextmanager
def full_until_the_server_dies(world: World) -> Iterator[None]:
    """A full WAL volume ends the server (PANIC); the cause is the volume, not the server."""
    # Else the crash may lose the replica's slot too: it restarts from the last checkpoint.
    with world.setting("max_slot_wal_keep_size", "-1"):
        with needed(world.volume).full():
            with suppress(psycopg2.Error):
                world.primary.fill(100)
            until(lambda: not world.primary.running, "the server ending for want of room")
            yield
        world.primary.start()
        # A write: on 13 replay steps over the record the crash cut only once more WAL comes.
        world.primary.sql("drop table if exists fill_me")
        world.wait_whole()
        world.primary.restart()  # an orderly start afterwards: the crash is history
        world.wait_whole()


@contextmanager
def without_inodes(world: World) -> Iterator[None]:
    with needed(world.volume).without_inodes():
        yield


@contextmanager
def read_only(world: World) -> Iterator[None]:
    """After an error the volume comes back read only, and the server is not started on it."""
    world.primary.stop()
    with needed(world.volume).read_only():
        yield
    world.primary.start()
    world.primary.restart()  # an orderly start afterwards: the crash is history
    world.wait_whole()


def _fault(name: str, inject: Break[World], measure: str, *words: str) -> Fault[World]:
    return Fault(
        f"volumes/{name}", "postgresql", inject, PRIMARY, "volumes", measure, "volume",
        ("wal", *words), evidence=("pg_wal",), host=("volumes",),
    )  # fmt: skip


FAULTS = (
    _fault("wal_full", full, "volume_room_ratio", "free of"),
    _fault("wal_out_of_inodes", without_inodes, "volume_free_inodes_ratio", "inodes"),
    _fault("wal_read_only", read_only, "volume_read_only", "read only"),
    _fault("wal_full_kills_the_server", full_until_the_server_dies, "volume_room_ratio", "free of"),
)
