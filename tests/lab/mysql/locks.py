"""Sessions that wait for each other's locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits
from tests.lab.mysql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault

WAITED = Limits(warning=0.2, critical=0.5)
CROWD = Limits(warning=2, critical=5)


@contextmanager
def idle_in_transaction_blocks(world: World) -> Iterator[None]:
    with (
        world.session("UPDATE pegawai SET gaji = 1 WHERE id = 1"),
        world.waiters(2, "UPDATE pegawai SET gaji = 2 WHERE id = 1"),
    ):
        world.primary.row_waits(2)
        world.waited(1.1)
        yield


@contextmanager
def ddl_queues(world: World) -> Iterator[None]:
    """A report reads, an ALTER TABLE waits for it, and everybody waits for the ALTER TABLE."""
    with (
        world.session("SELECT count(*) FROM pegawai"),
        world.waiters(1, "ALTER TABLE pegawai ADD COLUMN nik VARCHAR(20)"),
    ):
        world.primary.metadata_waits(1)
        with world.waiters(3, "SELECT count(*) FROM pegawai"):
            world.primary.metadata_waits(4)
            world.waited(1.1)
            yield


@contextmanager
def crowd(world: World) -> Iterator[None]:
    with (
        world.session("UPDATE pegawai SET gaji = 1 WHERE id = 3"),
        world.waiters(8, "UPDATE pegawai SET gaji = 2 WHERE id = 3"),
    ):
        world.primary.row_waits(8)
        yield


@contextmanager
def backup_holds_writers(world: World) -> Iterator[None]:
    """A backup took the global read lock and sleeps; applications wait with their writing."""
    with world.primary.admin() as backup, backup.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        with world.waiters(3, "UPDATE pegawai SET gaji = 2 WHERE id = 1"):
            world.waited(1.1)
            yield
            cursor.execute("UNLOCK TABLES")


def _fault(
    name: str,
    inject: Break[World],
    *words: str,
    measure: str = "blocked_seconds",
    limits: Limits = WAITED,
) -> Fault[World]:
    return Fault(
        f"locks/{name}", "mysql", inject, PRIMARY, "blocked_sessions", measure, "locks",
        words, evidence=("pegawai",), limits={f"blocked_sessions.{measure}": limits},
    )  # fmt: skip


FAULTS = (
    _fault("idle_in_transaction", idle_in_transaction_blocks, "waited", "idle in transaction"),
    _fault("ddl_queue", ddl_queues, "waited", "idle in transaction"),
    _fault("global_read_lock", backup_holds_writers, "sessions wait for a lock", "session"),
    _fault("crowd", crowd, "8 sessions", measure="blocked_sessions", limits=CROWD),
)
