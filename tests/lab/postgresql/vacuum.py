"""Autovacuum switched off, for the server or for one busy table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Severity
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, WARNS, Break, Fault
from tests.servers.machine import until


@contextmanager
def switched_off(world: World) -> Iterator[None]:
    """For an import, and left so."""
    with world.setting("autovacuum", "off"):
        yield


@contextmanager
def table_left_out(world: World) -> Iterator[None]:
    """Autovacuum is disabled for the busiest table, and all its rows are rewritten."""
    one = world.primary
    one.sql("create table antrean (n int) with (autovacuum_enabled = off)")
    one.sql("insert into antrean select n from generate_series(1, 150000) n")
    one.sql("delete from antrean")
    world.wait_whole()  # on a slow machine the replica is still reading
    dead = "select 1 from pg_stat_user_tables where relname = 'antrean' and n_dead_tup >= 150000"
    until(lambda: one.sql(dead), "the dead rows being counted")
    yield
    one.sql("vacuum antrean")
    until(lambda: not one.sql(dead), "the clean-up being counted")
    one.sql("drop table antrean")
    world.wait_whole()


def _fault(name: str, inject: Break[World], measure: str, *words: str) -> Fault[World]:
    return Fault(
        f"vacuum/{name}", "postgresql", inject, PRIMARY, "autovacuum", measure, "vacuum", words,
        limits={f"autovacuum.{measure}": WARNS}, severity=Severity.WARNING,
        evidence=("Tables that wait for VACUUM",),
    )  # fmt: skip


FAULTS = (
    _fault("switched_off", switched_off, "autovacuum_off", "autovacuum is switched off"),
    _fault("table_left_out", table_left_out, "tables_overdue_for_vacuum", "public.antrean"),
)
