"""Replication that is broken, late or cut off, as seen from the replica, the primary or both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits, Severity
from tests.lab.postgresql.world import World
from tests.lab.scenario import REPLICA, WARNS, Break, Fault
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
def reports_cancelled(world: World) -> Iterator[None]:
    """The replica may not wait for reports, so replay ends one that needs removed rows."""
    asked = "select sum(confl_snapshot) from pg_stat_database_conflicts"
    before = world.replica.sql(asked)[0][0]
    with (
        world.setting("max_standby_streaming_delay", "0", on_replica=True),
        world.session(
            "begin isolation level repeatable read",
            "select count(*) from pegawai",
            name="laporan",
            on_replica=True,
        ),
    ):
        world.primary.sql("delete from pegawai where id > 900")
        world.primary.sql("vacuum pegawai")
        world.primary.sql("insert into pegawai select n, 0 from generate_series(901, 1000) n")
        until(lambda: world.replica.sql(asked)[0][0] > before, "a report being cancelled")
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
    _fault(
        "replay_paused", replay_paused, "replay_paused", "replica", "paused",
        severity=Severity.WARNING, limits={"replication_lag.replay_paused": WARNS},
    ),
    _fault(
        "replay_held_by_a_query", replay_held_by_a_query, "replication_lag_seconds",
        "replica", "behind", limits={"replication_lag.replication_lag_seconds": SOON},
    ),
    Fault(
        "replication/reports_cancelled", "postgresql", reports_cancelled, REPLICA,
        "recovery_conflicts", "recovery_conflicts_per_minute", "replication",
        ("replay cancels", "VACUUM removed old rows"), severity=Severity.WARNING,
        limits={"recovery_conflicts.recovery_conflicts_per_minute": WARNS},
    ),
)  # fmt: skip
