"""A subscription does not apply: switched off, failing, or its first copy stuck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Limits, Severity
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault
from tests.servers.machine import until

PUBLISHER, SUBSCRIBER = "penerbit", "pelanggan"


@contextmanager
def subscription(world: World) -> Iterator[None]:
    """Publisher and subscriber are two databases of the primary; its replica applies nothing."""
    one = world.primary
    for name in (PUBLISHER, SUBSCRIBER):
        one.sql(f"create database {name}")
        for table in ("surat", "disposisi"):
            one.sql(f"create table {table} (id int primary key)", database=name)
    one.sql("create publication terbitan for table surat", database=PUBLISHER)
    # made first, or it would wait for itself
    one.sql("select pg_create_logical_replication_slot('surat', 'pgoutput')", database=PUBLISHER)
    one.sql(
        f"create subscription surat connection 'host={one.folder} port={one.port} user=postgres "
        f"dbname={PUBLISHER}' publication terbitan with (create_slot = false)",
        database=SUBSCRIBER,
    )
    _wait_ready(world)
    try:
        yield
    finally:
        for change in ("disable", "set (slot_name = none)"):
            one.sql(f"alter subscription surat {change}", database=SUBSCRIBER)
        one.sql("drop subscription surat", database=SUBSCRIBER)
        until(lambda: not _active(world), "the slot being let go")
        one.sql("select pg_drop_replication_slot('surat')", database=PUBLISHER)
        for name in (PUBLISHER, SUBSCRIBER):
            one.sql(f"drop database {name} with (force)")
        world.wait_whole()


def _wait_ready(world: World) -> None:
    waiting = "select 1 from pg_subscription_rel where srsubstate <> 'r'"
    until(lambda: not world.primary.sql(waiting, database=SUBSCRIBER), "every table being ready")
    until(lambda: _active(world), "the subscription applying")
    world.wait_whole()


def _active(world: World) -> bool:
    asked = "select active from pg_replication_slots where slot_name = 'surat'"
    return bool(world.primary.sql(asked)[0][0])


@contextmanager
def disabled(world: World) -> Iterator[None]:
    """The subscription was disabled while it worked, by a person or by disable_on_error."""
    world.primary.sql("alter subscription surat disable", database=SUBSCRIBER)
    until(lambda: not _active(world), "the worker ending")
    yield
    world.primary.sql("alter subscription surat enable", database=SUBSCRIBER)
    _wait_ready(world)


@contextmanager
def duplicate_key(world: World) -> Iterator[None]:
    """A row was put in by hand on the subscriber, and now comes from the publisher as well."""
    asked = "select apply_error_count from pg_stat_subscription_stats"
    before = world.primary.sql(asked, database=SUBSCRIBER)[0][0]
    for database in (SUBSCRIBER, PUBLISHER):
        world.primary.sql("insert into surat values (7)", database=database)
    until(
        lambda: world.primary.sql(asked, database=SUBSCRIBER)[0][0] > before + 1,
        "the row failing again and again",
    )
    yield
    world.primary.sql("delete from surat", database=SUBSCRIBER)
    _wait_ready(world)


@contextmanager
def copy_stuck(world: World) -> Iterator[None]:
    """The first copy of a table waits for a lock on the subscriber."""
    world.primary.sql("alter publication terbitan add table disposisi", database=PUBLISHER)
    with world.session(
        "lock table disposisi in share mode", name="pemeliharaan", database=SUBSCRIBER
    ):
        world.primary.sql("alter subscription surat refresh publication", database=SUBSCRIBER)
        waiting = "select 1 from pg_locks where not granted"
        until(lambda: world.primary.sql(waiting), "the copy waiting")
        yield
    _wait_ready(world)


@contextmanager
def synced_slot(world: World) -> Iterator[None]:
    """A slot that is kept in step on the standby for a failover is inactive there by design."""
    # slot synchronisation needs a database in the standby's conninfo, and its feedback
    conninfo = world.replica.sql("show primary_conninfo")[0][0]
    world.primary.sql(
        "select pg_create_logical_replication_slot('langganan', 'pgoutput', false, false, true)"
    )
    with (
        world.setting("primary_conninfo", f"{conninfo} dbname=postgres", on_replica=True),
        world.setting("hot_standby_feedback", "on", on_replica=True),
        world.setting("sync_replication_slots", "on", on_replica=True),
    ):
        asked = "select count(*) from pg_replication_slots where slot_name = 'langganan'"
        until(lambda: world.replica.sql(asked)[0][0] == 1, "the slot being synchronised")
        yield
    if world.primary.sql("select 1 from pg_replication_slots where slot_name = 'langganan'"):
        world.primary.sql("select pg_drop_replication_slot('langganan')")
    world.wait_whole()


@contextmanager
def failover_slot_lost(world: World) -> Iterator[None]:
    """Its subscriber stayed away too long: it is lost, and with it the copy for a failover."""
    with world.setting("max_slot_wal_keep_size", "64"):
        for _ in range(6):
            world.fill(20)
            world.primary.sql("checkpoint")
            if world.slot_status("langganan") == "lost":
                break
        copied = (
            "select 1 from pg_replication_slots where slot_name = 'langganan' "
            "and synced and invalidation_reason is not null"
        )
        until(lambda: world.replica.sql(copied), "the copy on the standby being lost too")
        yield
        world.primary.sql("select pg_drop_replication_slot('langganan')")
        until(
            lambda: not world.replica.sql("select 1 from pg_replication_slots where synced"),
            "the copy being dropped",
        )
    world.primary.sql("drop table fill_me")
    world.wait_whole()


def _fault(
    name: str, inject: Break[World], measure: str, *words: str, **more: object
) -> Fault[World]:
    return Fault(
        f"logical/{name}", "postgresql", inject, PRIMARY, "logical_replication", measure,
        "replication", words, given=subscription, evidence=("surat",),
        **more,  # type: ignore[arg-type]  # any field of Fault may be given
    )  # fmt: skip


FAULTS = (
    Fault(
        "logical/failover_slot_lost", "postgresql", failover_slot_lost, PRIMARY, "slots",
        "slot_wal_status", "replication", ("langganan", "lost"), evidence=("langganan",),
        given=synced_slot, versions=(170000, 10**9), symptoms=("slot_invalidated",),
    ),
    _fault("disabled", disabled, "subscription_worker_up", "pelanggan.surat", "does not run"),
    _fault(
        "duplicate_key", duplicate_key, "subscription_new_errors", "pelanggan.surat",
        "fails to apply", versions=(150000, 10**9), rest_seconds=0.6,
    ),
    _fault(
        "copy_stuck", copy_stuck, "subscription_tables_not_ready", "pelanggan.surat", "not ready",
        severity=Severity.WARNING, limits={
            "logical_replication.subscription_tables_not_ready": Limits(
                warning=1.0, opens=Severity.WARNING, raise_after=2
            )
        },
    ),
)  # fmt: skip
