"""Replication is broken, behind or cut, seen from the replica, the primary or both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, REPLICA, Break, Fault
from tests.servers.machine import until

SOON = Limits(warning=0.2, critical=0.5, raise_after=2)
"""Half a second instead of five minutes: the lab has no time to wait for the real limit."""


@contextmanager
def receiver_cut(world: World) -> Iterator[None]:
    with world.pair.cut_receiver():
        yield


@contextmanager
def replay_paused(world: World) -> Iterator[None]:
    with world.pair.paused_replay():
        yield
    world.wait_whole()


@contextmanager
def replay_held_by_a_query(world: World) -> Iterator[None]:
    """A report on the replica needs rows that the primary has since removed."""
    with world.session(
        "begin isolation level repeatable read",
        "select count(*) from pegawai",
        name="laporan",
        on_replica=True,
    ):
        world.primary.sql("delete from pegawai where id > 900")
        world.primary.sql("vacuum pegawai")
        world.primary.sql("insert into pegawai select n, 0 from generate_series(901, 1000) n")
        until(lambda: _behind(world) > 1.0, "the replica falling behind its primary")
        yield
    world.wait_whole()


def _behind(world: World) -> float:
    """Seconds, by the replica's own account, while WAL waits to be applied."""
    return float(
        world.replica.sql(
            "select case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0 else "
            "extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end"
        )[0][0]
        or 0
    )


@contextmanager
def replica_behind(world: World) -> Iterator[None]:
    """Replay stands still while the primary goes on writing; somebody paused it by mistake."""
    with world.pair.paused_replay():
        world.primary.sql("update pegawai set gaji = gaji + 1")
        until(lambda: _behind(world) > 1.0, "the replica falling behind its primary")
        yield
    world.wait_whole()


def _fault(
    name: str, inject: Break[World], measure: str, *words: str, **more: object
) -> Fault[World]:
    values = {
        "target": REPLICA,
        "evidence": ("WAL receiver",),
    } | more
    return Fault(
        f"replication/{name}", "postgresql", inject,
        probe="replication_lag", measure=measure, family="replication", words=words,
        **values,  # type: ignore[arg-type]  # any field of Fault may be given
    )  # fmt: skip


FAULTS = (
    _fault("receiver_cut", receiver_cut, "receiver_up", "replica", "receives no WAL"),
    _fault("replay_paused", replay_paused, "replay_paused", "replica", "paused"),
    _fault(
        "replay_held_by_a_query", replay_held_by_a_query, "replication_lag_seconds",
        "replica", "behind", limits={"replication_lag.replication_lag_seconds": SOON},
        other_witness=PRIMARY,
    ),
)  # fmt: skip
