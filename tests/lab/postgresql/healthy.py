"""Normal operation of a PostgreSQL pair that must open no incident."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import outages
from tests.lab.postgresql.logical import subscription, synced_slot
from tests.lab.postgresql.world import World
from tests.lab.scenario import Healthy
from tests.servers.machine import until
from tests.servers.postgresql import SUPERUSER, bindir


@contextmanager
def idle(world: World) -> Iterator[None]:
    """No activity; a replica without traffic is not behind."""
    yield


def _program(world: World, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(bindir() / name), "-h", str(world.primary.folder), "-p", str(world.primary.port),
         "-U", SUPERUSER, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(30)


@contextmanager
def pgbench(world: World) -> Iterator[None]:
    assert _program(world, "pgbench", "-iq", "-s", "1", "postgres").wait(60) == 0
    load = _program(world, "pgbench", "-c", "4", "-T", "600", "-R", "200", "postgres")
    try:
        until(
            lambda: world.primary.sql("select count(*) from pgbench_history")[0][0] > 20,
            "the load running",
        )
        yield
        assert load.poll() is None, "the load ended early"
    finally:
        _end(load)
    world.wait_whole()


@contextmanager
def batch_delete(world: World) -> Iterator[None]:
    """Half a million rows go in one transaction while the readings are taken."""
    world.primary.sql(
        "create table if not exists arsip as "
        "select n as id, md5(n::text) as isi from generate_series(1, 300000) n"
    )
    with world.session("delete from arsip where id % 2 = 0", name="pembersihan") as session:
        session.commit()
        yield
    world.primary.sql("drop table arsip")
    world.wait_whole()


@contextmanager
def batch_delete_open(world: World) -> Iterator[None]:
    """The same delete, uncommitted all the time."""
    world.primary.sql(
        "create table if not exists arsip as "
        "select n as id, md5(n::text) as isi from generate_series(1, 100000) n"
    )
    with world.session("delete from arsip", name="pembersihan"):
        yield
    world.primary.sql("drop table arsip")
    world.wait_whole()


@contextmanager
def alter_table(world: World) -> Iterator[None]:
    """A table is being rewritten under an exclusive lock, and no other session needs it."""
    with world.session(
        "alter table pegawai add column golongan int default 3",
        "alter table pegawai alter column gaji type bigint",
    ):
        yield
    world.wait_whole()


@contextmanager
def dump(world: World) -> Iterator[None]:
    """A dump holds its snapshot and share locks all along."""
    with world.session(
        "begin isolation level repeatable read read only",
        "lock table pegawai in access share mode",
        "select count(*) from pegawai",
        name="pg_dump",
    ):
        world.primary.sql("update pegawai set gaji = gaji + 1 where id < 50")
        yield
    world.wait_whole()


@contextmanager
def delayed_on_purpose(world: World) -> Iterator[None]:
    """recovery_min_apply_delay: an hour behind is what the office asked for."""
    with world.setting("recovery_min_apply_delay", "3600000", on_replica=True):
        world.primary.sql("update pegawai set gaji = gaji + 1")
        until(
            lambda: world.replica.sql(
                "select pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()"
            )[0][0],
            "WAL waiting for its time",
        )
        yield
    world.wait_whole()


@contextmanager
def reading_locks(world: World) -> Iterator[None]:
    """Short waits for one another, as any busy application has them."""
    for number in range(1, 4):
        with (
            world.session(f"update pegawai set gaji = 1 where id = {number}"),
            world.waiters(1, f"update pegawai set gaji = 2 where id = {number}"),
        ):
            pass
    with (
        world.session("update pegawai set gaji = 1 where id = 9"),
        world.waiters(1, "update pegawai set gaji = 2 where id = 9"),
    ):
        yield


@contextmanager
def planned_failover(world: World) -> Iterator[None]:
    """Announced: the primary goes, the replica takes over."""
    world.primary.stop()
    world.replica.sql("select pg_promote()")
    yield
    world.primary.start()
    world.rebuild_replica()


@contextmanager
def replica_rebuilt(world: World) -> Iterator[None]:
    """Between two readings the replica was deleted and copied again: no crash."""
    world.rebuild_replica()
    yield


HEALTHY = (
    Healthy(
        "healthy/idle_for_an_hour",
        "postgresql",
        idle,
        rounds=60,
        seconds_a_round=60.0,
        own_clocks=True,
    ),
    Healthy("healthy/pgbench", "postgresql", pgbench),
    Healthy("healthy/batch_delete", "postgresql", batch_delete),
    Healthy("healthy/batch_delete_open", "postgresql", batch_delete_open),
    Healthy("healthy/alter_table", "postgresql", alter_table),
    Healthy("healthy/dump", "postgresql", dump),
    Healthy("healthy/short_lock_waits", "postgresql", reading_locks),
    Healthy("healthy/delayed_on_purpose", "postgresql", delayed_on_purpose),
    Healthy(
        "healthy/synced_slot_on_a_standby", "postgresql", synced_slot, versions=(170000, 10**9)
    ),
    Healthy("healthy/replica_rebuilt", "postgresql", replica_rebuilt, rounds=4),
    Healthy("healthy/subscription", "postgresql", idle, rounds=4, given=subscription),
    Healthy("healthy/planned_restart", "postgresql", outages.stopped, rounds=4, announced=True),
    Healthy("healthy/planned_failover", "postgresql", planned_failover, rounds=4, announced=True),
)
