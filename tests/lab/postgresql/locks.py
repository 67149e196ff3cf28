"""Sessions that wait for each other's locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault

WAITED = Limits(warning=0.2, critical=0.5)
CROWD = Limits(warning=2, critical=5)


@contextmanager
def idle_in_transaction_blocks(world: World) -> Iterator[None]:
    with (
        world.session("update pegawai set gaji = 1 where id = 1"),
        world.waiters(2, "update pegawai set gaji = 2 where id = 1", 0.6),
    ):
        yield


@contextmanager
def ddl_queues(world: World) -> Iterator[None]:
    """A report reads, an ALTER TABLE waits for it, and everybody waits for the ALTER TABLE."""
    with (
        world.session("select count(*) from pegawai", name="laporan"),
        world.waiters(1, "alter table pegawai add column nik text"),
        world.waiters(3, "select count(*) from pegawai", 0.6),
    ):
        yield


@contextmanager
def prepared_blocks(world: World) -> Iterator[None]:
    """A transaction manager died between the phases: no session, and the lock is held."""
    with world.session(
        "update pegawai set gaji = 1 where id = 2", "prepare transaction 'xa-gaji-17'"
    ):
        pass
    try:
        with world.waiters(1, "update pegawai set gaji = 2 where id = 2", 0.6):
            yield
    finally:
        world.primary.sql("rollback prepared 'xa-gaji-17'")


@contextmanager
def table_locked(world: World) -> Iterator[None]:
    with (
        world.session("lock table pegawai in access exclusive mode"),
        world.waiters(1, "select count(*) from pegawai", 0.6),
    ):
        yield


@contextmanager
def crowd(world: World) -> Iterator[None]:
    with (
        world.session("update pegawai set gaji = 1 where id = 3"),
        world.waiters(8, "update pegawai set gaji = 2 where id = 3"),
    ):
        yield


def _fault(
    name: str,
    inject: Break[World],
    *words: str,
    measure: str = "blocked_seconds",
    limits: Limits = WAITED,
) -> Fault[World]:
    return Fault(
        f"locks/{name}", "postgresql", inject, PRIMARY, "blocked_sessions", measure, "locks",
        words, evidence=("pegawai",), limits={f"blocked_sessions.{measure}": limits},
        # Before 14 a wait counts from the reading that saw it first.
        rest_seconds=0.6 if measure == "blocked_seconds" else 0.0,
    )  # fmt: skip


FAULTS = (
    _fault("idle_in_transaction", idle_in_transaction_blocks, "2 sessions wait", "impor_gaji"),
    _fault("ddl_queue", ddl_queues, "sessions wait", "laporan"),
    _fault("prepared_transaction", prepared_blocks, "xa-gaji-17"),
    _fault("table_locked", table_locked, "impor_gaji"),
    _fault("crowd", crowd, "8 sessions", "impor_gaji", measure="blocked_sessions", limits=CROWD),
)
