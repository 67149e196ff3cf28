"""A slow server: too little memory for what is read, temporary tables on disk.

The tables are not written to the binary log, so that the replica is not affected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from probes import Limits, Severity
from tests.lab.mysql.world import World
from tests.lab.scenario import PATIENT, PRIMARY, Break, Fault
from tests.servers.mariadb import eventually

SOONER = Limits(raise_after=2, opens=Severity.WARNING)
"""What is declared, but for the patience of a rate: it is believed at the second reading."""
_PAST_THE_BINLOG = "SET SESSION sql_log_bin = 0"


@contextmanager
def _table(world: World, columns: str, rows: int, row: str) -> Iterator[None]:
    """A table ``app.besar`` with so many rows, gone afterwards."""
    world.primary.sql(
        _PAST_THE_BINLOG,
        f"SET SESSION max_recursive_iterations = {rows + 1}",
        f"CREATE TABLE app.besar ({columns}) ENGINE=InnoDB CHARACTER SET latin1",
        "INSERT INTO app.besar WITH RECURSIVE n(id) AS "
        f"(SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {rows}) SELECT {row} FROM n",
    )
    try:
        yield
    finally:
        world.primary.sql(_PAST_THE_BINLOG, "DROP TABLE app.besar")


def archive(world: World) -> Any:
    """24 MB, in a pool of 16."""
    return _table(world, "id INT PRIMARY KEY, isi VARCHAR(2000)", 12_000, "id, repeat('x', 2000)")


def letters(world: World) -> Any:
    """A column that no temporary table in memory can hold."""
    return _table(world, "id INT PRIMARY KEY, isi TEXT", 20, "id, 'surat'")


def _status(world: World, *names: str) -> dict[str, int]:
    listed = ", ".join(f"'{name}'" for name in names)
    rows = world.primary.sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({listed})")
    return {row["Variable_name"]: int(row["Value"]) for row in rows}


@contextmanager
def nothing_more(world: World) -> Iterator[None]:
    """The load that continues is the fault."""
    yield


def _for_a_second(world: World, work: Callable[[], object]) -> None:
    """Work until the server's clock, which has whole seconds, has moved."""
    began = _status(world, "Uptime")["Uptime"]

    def moved() -> bool:
        work()
        return _status(world, "Uptime")["Uptime"] > began

    eventually(moved, "a second passing by the server's clock")


def scans(world: World) -> None:
    """A report reads the whole archive while the application reads the same few pages."""
    _for_a_second(
        world,
        lambda: world.primary.sql(
            "SELECT sum(length(isi)) FROM app.besar",
            "SELECT sum(b.gaji) FROM app.pegawai a JOIN app.pegawai c ON c.id <= 20 "
            "JOIN app.pegawai b ON b.id = 1 + (a.id + c.id) % 500",
        ),
    )


def spills(world: World) -> None:
    """A grouping by text, in a loop."""
    grouped = "SELECT isi, count(*) FROM app.besar GROUP BY isi"
    _for_a_second(world, lambda: world.primary.sql(*[grouped] * 200))


def _fault(
    name: str,
    measure: str,
    meanwhile: Callable[[World], object],
    *words: str,
    given: Break[World],
) -> Fault[World]:
    return Fault(
        f"performance/{name}", "mysql", nothing_more, PRIMARY, name, measure, "performance", words,
        limits={f"{name}.{measure}": SOONER}, severity=Severity.WARNING, meanwhile=meanwhile,
        given=given, deadline=PATIENT, flavours=("mariadb",),
    )  # fmt: skip


FAULTS = (
    _fault(
        "buffer_pool", "buffer_pool_miss_ratio", scans, "the buffer pool is too small (17 MB)",
        "of page requests go to disk", given=archive,
    ),
    _fault(
        "temp_tables", "temp_disk_tables_per_second", spills, "temporary tables spill to disk",
        given=letters,
    ),
)  # fmt: skip
