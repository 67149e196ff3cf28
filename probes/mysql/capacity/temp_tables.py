"""Temporary tables that spill to disk.

Sorts and groupings that do not fit in memory fill tmpdir and slow down the disk; one report can
cause it. Reports rates since the last reading; the share only if there are enough tables.
Source: status Created_tmp_disk_tables, Created_tmp_tables, Created_tmp_files.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import counted, growth, status

_NAMES = ("Created_tmp_disk_tables", "Created_tmp_tables", "Created_tmp_files", "Uptime")


def read(session: Session) -> Iterator[Measurement]:
    """Temporary tables a second, and how many of them on disk; nothing at the first reading."""
    grown, seconds = growth(session, counted(status(session, *_NAMES)))
    if not seconds:
        return
    disk = grown.get("created_tmp_disk_tables", 0.0)
    total = max(grown.get("created_tmp_tables", 0.0), disk)
    share = f"{disk / total:.0%}" if total else "0%"
    yield Measurement("temp_tables_per_second", total / seconds)
    yield Measurement("temp_disk_tables_per_second", disk / seconds, detail={"share": share})
    yield Measurement("temp_files_per_second", grown.get("created_tmp_files", 0.0) / seconds)


PROBE = Probe(
    name="temp_tables",
    engine="mysql",
    question=Text("Do queries spill temporary tables to disk?"),
    measures=(
        Measure("temp_tables_per_second", "", "Temporary tables created per second"),
        Measure("temp_disk_tables_per_second", "", "Temporary tables created on disk per second"),
        Measure("temp_files_per_second", "", "Temporary files created per second"),
    ),
    thresholds=(
        Threshold(
            measure="temp_disk_tables_per_second",
            title=Text("{target}: {value} temporary tables a second spill to disk ({share})"),
            headline=Text("{target}: temporary tables spill to disk"),
            hint=Text(
                "Find the queries that make them (BLOB/TEXT in GROUP BY, a missing index); raising "
                "tmp_table_size seldom helps."
            ),
            family="performance",
            # a busy application creates some; fifty a second is a query in a loop
            warning=50.0,
            raise_after=8,
        ),
    ),
    read=read,
    runbook=Text(
        "1. Which query (slow log, sys.statements_with_temp_tables)? 2. On which volume is "
        "tmpdir, how much is left? 3. An index or the query's shape, not memory."
    ),
)
