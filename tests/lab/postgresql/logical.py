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
    """Somebody, or disable_on_error, switched it off while it worked."""
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
    """The first copy of a table waits for a lock somebody holds on the subscriber."""
    world.primary.sql("alter publication terbitan add table disposisi", database=PUBLISHER)
    with world.session(
        "lock table disposisi in share mode", name="pemeliharaan", database=SUBSCRIBER
    ):
        world.primary.sql("alter subscription surat refresh publication", database=SUBSCRIBER)
        waiting = "select 1 from pg_locks where not granted"
        until(lambda: world.primary.sql(waiting), "the copy waiting")
        yield
    _wait_ready(world)


def _fault(
    name: str, inject: Break[World], measure: str, *words: str, **more: object
) -> Fault[World]:
    return Fault(
        f"logical/{name}", "postgresql", inject, PRIMARY, "logical_replication", measure,
        "replication", words, given=subscription, evidence=("surat",),
        **more,  # type: ignore[arg-type]  # any field of Fault may be given
    )  # fmt: skip


FAULTS = (
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
