"""Transactions that stay open, and what they hold back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2

from probes import Limits
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault
from tests.servers.machine import until

SECONDS = Limits(warning=0.1, critical=0.3)


@contextmanager
def idle_in_transaction(world: World) -> Iterator[None]:
    with world.session("update pegawai set gaji = 1 where id = 20"):
        _aged(world, 0.5)
        yield


@contextmanager
def long_transaction(world: World) -> Iterator[None]:
    """A report that has been reading since this morning."""
    with world.session(
        "begin isolation level repeatable read", "select count(*) from pegawai", name="laporan"
    ):
        _aged(world, 0.5)
        yield


@contextmanager
def horizon_held(world: World) -> Iterator[None]:
    """The report's snapshot keeps every row that was removed since."""
    with world.session(
        "begin isolation level repeatable read", "select count(*) from pegawai", name="laporan"
    ):
        _burn(world, 300)
        yield


@contextmanager
def prepared_left(world: World) -> Iterator[None]:
    with world.session(
        "update pegawai set gaji = 1 where id = 21", "prepare transaction 'xa-gaji-18'"
    ):
        pass
    asked = "select max(extract(epoch from clock_timestamp() - prepared)) from pg_prepared_xacts"
    try:
        until(lambda: world.primary.sql(asked)[0][0] > 0.5, "the prepared transaction aging")
        yield
    finally:
        world.primary.sql("rollback prepared 'xa-gaji-18'")


@contextmanager
def deadlocks(world: World) -> Iterator[None]:
    counted = "select deadlocks from pg_stat_database where datname = 'postgres'"
    before = world.primary.sql(counted)[0][0]

    def second_half(connection: Any) -> None:
        # One of the two is the deadlock's victim.
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("update pegawai set gaji = 2 where id = 31")

    with (
        world.session("update pegawai set gaji = 1 where id = 30") as one,
        world.session("update pegawai set gaji = 1 where id = 31") as other,
    ):
        thread = threading.Thread(target=second_half, args=(one,))
        thread.start()
        with suppress(psycopg2.Error), other.cursor() as cursor:
            cursor.execute("update pegawai set gaji = 2 where id = 30")
        other.close()
        thread.join(30)
    until(lambda: world.primary.sql(counted)[0][0] > before, "the deadlock being counted")
    yield


@contextmanager
def lock_table_full(world: World) -> Iterator[None]:
    """One session takes thousands of locks, as a dump of a schema with too many tables does."""
    with world.session(
        "select count(pg_advisory_xact_lock_shared(n)) from generate_series(1, 2600) n",
        name="pg_dump",
    ):
        yield


def _aged(world: World, seconds: float) -> None:
    asked = (
        "select coalesce(max(extract(epoch from clock_timestamp() - state_change)), 0) "
        "from pg_stat_activity where state = 'idle in transaction'"
    )
    until(lambda: world.primary.sql(asked)[0][0] > seconds, "the transaction aging")


def _burn(world: World, number: int) -> None:
    """Use up so many transaction numbers."""
    connection = world.primary.connect()
    with connection.cursor() as cursor:
        for _ in range(number):
            cursor.execute("select txid_current()")
    connection.close()


def _fault(
    name: str,
    inject: Break[World],
    probe: str,
    measure: str,
    family: str,
    *words: str,
    limits: Limits = SECONDS,
    evidence: tuple[str, ...] = (),
) -> Fault[World]:
    return Fault(
        f"transactions/{name}", "postgresql", inject, PRIMARY, probe, measure, family, words,
        evidence=evidence, limits={f"{probe}.{measure}": limits},
    )  # fmt: skip


FAULTS = (
    _fault(
        "idle_in_transaction", idle_in_transaction, "idle_in_transaction",
        "idle_in_transaction_seconds", "locks", "impor_gaji", "idle in a transaction",
        evidence=("impor_gaji",),
    ),
    _fault(
        "long_transaction", long_transaction, "long_transactions", "longest_transaction_seconds",
        "vacuum", "laporan", evidence=("laporan",),
    ),
    _fault(
        "horizon_held", horizon_held, "long_transactions", "xmin_horizon_age", "vacuum", "laporan",
        limits=Limits(warning=100, critical=200), evidence=("laporan",),
    ),
    _fault(
        "prepared_left", prepared_left, "prepared_transactions", "oldest_prepared_seconds",
        "locks", "xa-gaji-18", evidence=("xa-gaji-18",),
    ),
    _fault(
        "deadlocks", deadlocks, "deadlocks", "deadlocks_per_minute", "locks", "postgres",
        limits=Limits(warning=0.5, critical=1),
    ),
    _fault(
        "lock_table_full", lock_table_full, "lock_table", "lock_table_used_ratio", "locks",
        "pg_dump", limits=Limits(critical=0.6),
    ),
)  # fmt: skip
