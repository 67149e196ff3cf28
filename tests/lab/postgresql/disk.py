"""A small volume that fills up, what fills it, and a slot lost before or after that.

What takes hours in an office takes a round each here: between two rounds the servers write, and
earlier readings are made five minutes older.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from probes import Limits, Severity
from tests.lab.postgresql.durability import archive_empties, slot_forgotten
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, WARNS, Break, Fault
from tests.lab.volume import needed
from tests.servers.machine import until
from tests.servers.postgresql import SUPERUSER

FIVE_MINUTES = 300.0
FIRST_MEGABYTES = 100
"""Beyond max_wal_size: up to there WAL grows by itself after a quiet time, and stops."""
MEGABYTES_A_ROUND = 40
"""More than two segments, one of which may lie ready: so WAL is seen to grow in every round."""


def writes(world: World) -> None:
    world.fill(MEGABYTES_A_ROUND)


class Standby:
    """One that was taken away and whose slot stayed; in the end it comes back."""

    def __init__(self) -> None:
        self._back = ExitStack()

    @contextmanager
    def away(self, world: World, megabytes: int) -> Iterator[None]:
        """Its slot may keep so much WAL (-1: any amount)."""
        tidied(world)
        with world.setting("max_slot_wal_keep_size", str(megabytes)), slot_forgotten(world):
            with ExitStack() as self._back:
                yield
            in_use = "select 1 from pg_replication_slots where slot_name = 'lupa' and active"
            until(lambda: not world.primary.sql(in_use), "the slot being let go")

    @contextmanager
    def busy_day(self, world: World) -> Iterator[None]:
        """Much is written while it is away."""
        needed(world.volume)
        world.fill(FIRST_MEGABYTES)
        yield
        self._back.enter_context(reading(world))
        tidied(world)


@contextmanager
def reading(world: World) -> Iterator[None]:
    """A standby reads everything that was kept for it, and continues."""
    one = world.primary
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                *(str(one.programs / "pg_receivewal"), "-h", str(one.folder), "-p", str(one.port)),
                *("-U", SUPERUSER, "-D", folder, "-S", "lupa", "--synchronous", "--no-loop"),
            ],
        )
        behind = (
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 1e6 "
            "from pg_replication_slots where slot_name = 'lupa'"
        )
        try:
            until(lambda: not one.sql(behind)[0][0], "the standby having read it all")
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def archive_fails(world: World) -> Iterator[None]:
    """The archive refuses every segment; each of them stays."""
    needed(world.volume)
    tidied(world)
    with world.setting("archive_command", "/bin/false"):
        world.fill(FIRST_MEGABYTES)
        yield
    archive_empties(world)
    tidied(world)


def tidied(world: World) -> None:
    """Remove unneeded WAL now, not between two readings: a fall would restart the observation.

    Two checkpoints, because one keeps what the previous one needed.
    """
    world.primary.sql("drop table if exists fill_me")
    world.wait_whole()
    for _ in range(2):
        world.primary.sql("select pg_switch_wal()")
        world.primary.sql("checkpoint")


class Reports:
    """Month-end reports that sort far beyond work_mem, ever more of them, each half read."""

    def __init__(self) -> None:
        self._open = ExitStack()

    @contextmanager
    def none_yet(self, world: World) -> Iterator[None]:
        needed(world.data)
        self._open = ExitStack()
        with self._open:
            self.one_more(world)
            yield

    def one_more(self, world: World) -> None:
        self._open.enter_context(
            world.session(
                "set work_mem = '64kB'",
                "declare c cursor for select repeat(md5(n::text), 8) from "
                "generate_series(1, 60000) n order by 1",
                "fetch 1 from c",
                name="laporan",
            )
        )


@contextmanager
def log_table_grows(world: World) -> Iterator[None]:
    """An application writes its whole journal into a table."""
    needed(world.data)
    world.primary.sql("create table jejak_audit (id bigserial primary key, isi text)")
    log_more(world)
    try:
        yield
    finally:
        world.primary.sql("drop table jejak_audit")
        world.wait_whole()


def log_more(world: World) -> None:
    world.primary.sql(
        "insert into jejak_audit (isi) select repeat(md5(n::text), 32) from "
        "generate_series(1, %s) n",
        MEGABYTES_A_ROUND * 1000,
    )
    world.wait_whole()  # five minutes pass: a replica still reading would be a slot falling behind


REPORTS = Reports()
STANDBY = Standby()


def _fault(
    name: str,
    inject: Break[World],
    meanwhile: Callable[[World], object],
    *words: str,
    measure: str = "filled_by_in_seconds",
    severity: Severity = Severity.WARNING,
    limits: Limits = WARNS,
    **more: Any,
) -> Fault[World]:
    probe = more.pop("probe", "disk_growth")
    return Fault(
        f"disk/{name}", "postgresql", inject, PRIMARY, probe, measure,
        more.pop("family", "volume"), words, limits={f"{probe}.{measure}": limits},
        severity=severity, meanwhile=meanwhile, seconds_a_round=FIVE_MINUTES, local=True,
        small_volume=True, **more,
    )  # fmt: skip


FAULTS = (
    _fault(
        "slot_fills_it", STANDBY.busy_day, writes, "inactive slot lupa", "is filling volume",
        "pg_wal", "full in", evidence=("inactive slot lupa",),
        given=partial(STANDBY.away, megabytes=-1),
    ),
    _fault(
        "archive_fills_it", archive_fails, writes, "WAL that is not archived yet",
        "is filling volume", "pg_wal", evidence=("not archived yet",),
    ),
    _fault(
        "archive_fills_it_and_is_the_cause", archive_fails, writes,
        "archiving WAL has failed", probe="archiver", measure="archive_failing_seconds",
        family="archiving", severity=Severity.CRITICAL, symptoms=("filled_by_in_seconds",),
        limits=Limits(warning=0.1, critical=0.2),
    ),
    _fault(
        "reports_fill_it", REPORTS.none_yet, REPORTS.one_more, "temporary data of queries",
        "is filling volume", "base", evidence=("temporary data of queries",), extra_rounds=2,
    ),
    _fault(
        "table_fills_it", log_table_grows, log_more, "database postgres", "is filling volume",
        "base", evidence=("database postgres", "jejak_audit"),
    ),
    _fault(
        "slot_lost_first", STANDBY.busy_day, writes, "slot lupa will be lost in",
        "sooner than the WAL volume is full", measure="slot_lost_in_seconds",
        family="replication", severity=Severity.CRITICAL, symptoms=("filled_by_in_seconds",),
        limits=Limits(), evidence=("inactive slot lupa",),
        given=partial(STANDBY.away, megabytes=500),
    ),
    _fault(
        "full_before_the_slot_is_lost", STANDBY.busy_day, writes, "inactive slot lupa",
        "is filling volume", "; slot lupa is lost in", evidence=("inactive slot lupa",),
        given=partial(STANDBY.away, megabytes=4096),
    ),
)  # fmt: skip
