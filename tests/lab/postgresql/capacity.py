"""Limits reached: connections, numbers, memory for sorting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from probes import Limits, Severity
from probes.postgresql.storage.checkpoints import LEAST_CHECKPOINTS
from tests.lab.postgresql.world import CLERK, PIECE_MEGABYTES, World
from tests.lab.scenario import PATIENT, PRIMARY, WARNS, Break, Fault
from tests.servers.machine import until


@contextmanager
def connections(world: World) -> Iterator[None]:
    """A leaking pool holds most slots; there is still room for a login."""
    with ExitStack() as stack:
        for _ in range(31):
            stack.callback(world.connect_as_clerk().close)
        yield


@contextmanager
def account_limit(world: World) -> Iterator[None]:
    world.primary.sql(f"alter role {CLERK} connection limit 4")
    try:
        with ExitStack() as stack:
            for _ in range(4):
                stack.callback(world.connect_as_clerk().close)
            yield
    finally:
        world.primary.sql(f"alter role {CLERK} connection limit -1")


@contextmanager
def sequence(world: World) -> Iterator[None]:
    world.primary.sql("create table surat (id smallserial primary key)")
    world.primary.sql("grant all on sequence surat_id_seq to pg_monitor")
    world.primary.sql("select setval('surat_id_seq', 32000)")
    try:
        yield
    finally:
        world.primary.sql("drop table surat")
        world.wait_whole()


@contextmanager
def wraparound(world: World) -> Iterator[None]:
    """A prepared transaction keeps every table from being frozen while numbers are used up."""
    with world.session("update pegawai set gaji = 1 where id = 40", "prepare transaction 'xa-1'"):
        pass
    connection = world.primary.connect()
    with connection.cursor() as cursor:
        for _ in range(2500):
            cursor.execute("select txid_current()")
    connection.close()
    try:
        yield
    finally:
        world.primary.sql("rollback prepared 'xa-1'")
        _freeze(world)


@contextmanager
def multixacts(world: World) -> Iterator[None]:
    """Rows that many transactions lock at once, as foreign keys make them, use up multixacts."""
    each_in_its_own = (
        "do $$ declare n int; begin for n in 1..600 loop begin "
        "perform 1 from pegawai where id = n for share; "
        "exception when others then raise; end; end loop; end $$"
    )
    with (
        world.session("select 1 from pegawai for share", name="pinjaman"),
        world.session(each_in_its_own, name="cuti"),
    ):
        yield
    _freeze(world)


def _freeze(world: World) -> None:
    """Every database, also template0, which ages like the others and accepts no connections."""
    world.primary.sql("update pg_database set datallowconn = true where datname = 'template0'")
    for (name,) in world.primary.sql("select datname from pg_database"):
        world.primary.sql("vacuum freeze", database=name)
    world.primary.sql("update pg_database set datallowconn = false where datname = 'template0'")
    world.wait_whole()


@contextmanager
def spilling(world: World) -> Iterator[None]:
    """A sort far beyond work_mem, half read: its files stay."""
    with world.session(
        "set work_mem = '64kB'",
        "declare c cursor for select n, md5(n::text) from generate_series(1, 200000) n order by 2",
        "fetch 1 from c",
        name="laporan",
    ):
        yield


@contextmanager
def forced_checkpoints(world: World) -> Iterator[None]:
    """A bulk load against a max_wal_size that is too small for it."""
    asked = (
        "select num_requested from pg_stat_checkpointer"
        if world.version >= 170000
        else "select checkpoints_req from pg_stat_bgwriter"
    )

    def one_more_than(before: int) -> bool:
        world.fill(PIECE_MEGABYTES)  # what was asked for before goes on by it, or ends
        return bool(world.primary.sql(asked)[0][0] > before)

    for _ in range(LEAST_CHECKPOINTS):
        before = world.primary.sql(asked)[0][0]
        until(partial(one_more_than, before), "WAL forcing a checkpoint")
    yield


def _fault(
    name: str,
    inject: Break[World],
    probe: str,
    measure: str,
    family: str,
    *words: str,
    limits: Limits = WARNS,
    evidence: tuple[str, ...] = (),
    severity: Severity = Severity.CRITICAL,
    **more: Any,
) -> Fault[World]:
    return Fault(
        f"capacity/{name}", "postgresql", inject, PRIMARY, probe, measure, family, words,
        evidence=evidence, limits={f"{probe}.{measure}": limits}, severity=severity, **more,
    )  # fmt: skip


FAULTS = (
    _fault(
        "connections", connections, "connections", "connections_used_ratio", "connections",
        "slots are used", CLERK, limits=Limits(critical=0.85), evidence=(CLERK,),
    ),
    _fault(
        "account_limit", account_limit, "connections", "connection_limit_used_ratio",
        "connections", CLERK, severity=Severity.WARNING, evidence=(CLERK,),
    ),
    _fault(
        "sequence", sequence, "sequences", "sequence_used_ratio", "capacity", "surat_id_seq",
    ),
    _fault(
        "wraparound", wraparound, "wraparound", "xid_used_ratio", "wraparound",
        "transaction numbers", limits=Limits(warning=1e-6, critical=1.1e-6), evidence=("xa-1",),
    ),
    _fault(
        "multixacts", multixacts, "wraparound", "multixact_used_ratio", "wraparound",
        "multixacts", "postgres", limits=Limits(warning=1e-7, critical=2e-7),
        evidence=("multixact_age",),
    ),
    _fault(
        "spilling", spilling, "temp_files", "temp_files_bytes", "performance", "laporan",
        limits=Limits(warning=1e6, opens=Severity.WARNING), severity=Severity.WARNING,
    ),
    _fault(
        "forced_checkpoints", forced_checkpoints, "checkpoints", "checkpoint_requested_ratio",
        "performance", "WAL keeps forcing checkpoints (max_wal_size 64MB)",
        severity=Severity.WARNING, seconds_a_round=300.0, deadline=PATIENT,
    ),
)  # fmt: skip
