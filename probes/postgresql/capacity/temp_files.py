"""Temporary files: their size now, their owner, and the rate at which they are written.

Sorts and hashes beyond work_mem go to files; one runaway query fills the data volume. Statistics
count a file only when it is gone, so existing files are listed too: their names contain the pid.
Sources: PostgreSQL manual, pg_stat_database (temp_bytes), pg_ls_tmpdir.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.rates import growth

_WRITTEN = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       extract(epoch from clock_timestamp())::float8 as now, datname::text as database,
       temp_bytes::float8 as bytes
from pg_stat_database where datname is not null
"""  # noqa: S608 - only constants of this package are inserted

# In every tablespace: pgsql_tmp<pid>.<number>, also inside a shared fileset's directory, which
# is listed without its content.
_PRESENT = """
with file as (
  select substring(f.name from '^pgsql_tmp(\\d+)')::int as pid, f.size
  from pg_tablespace t, pg_ls_tmpdir(t.oid) f where t.spcname <> 'pg_global')
select sum(f.size) over ()::float8 as total, f.pid, f.bytes, r.rolname::text as account,
       a.application_name as application, d.datname::text as database
from (select pid, sum(size)::float8 as size, sum(size)::float8 as bytes from file group by pid) f
left join pg_stat_get_activity(null) a on a.pid = f.pid
left join pg_roles r on r.oid = a.usesysid left join pg_database d on d.oid = a.datid
order by f.bytes desc limit 1
"""


def read(session: Session) -> Iterable[Measurement]:
    """Bytes in files now, with their owner, and the rate since the previous reading."""
    rows = session.rows(_WRITTEN)
    require_sight(rows[0])
    present = next(iter(session.rows(_PRESENT)), None)
    detail: dict[str, object] = {}
    if present is not None:
        detail = {
            "pid": present["pid"] or "-",
            "user": present["account"] or "-",
            "app": present["application"] or "-",
            "database": present["database"] or "-",
        }
    yield Measurement("temp_files_bytes", present["total"] if present else 0.0, detail=detail)
    grown = growth(session.memory, rows[0]["now"], {r["database"]: r["bytes"] for r in rows})
    if grown is None:
        return
    most = max(grown.by, key=lambda name: grown.by[name])
    rate = sum(grown.by.values()) / grown.seconds
    yield Measurement("temp_written_bytes_per_second", rate, detail={"database": most})


PROBE = Probe(
    name="temp_files",
    engine="postgresql",
    question=Text("Do queries spill to disk?"),
    measures=(
        Measure("temp_files_bytes", "bytes", "Size of temporary files now."),
        Measure(
            "temp_written_bytes_per_second", "bytes", "Bytes of temporary files written per second."
        ),
    ),
    thresholds=(
        Threshold(
            "temp_files_bytes",
            Text("{target}: temporary files take {value}; most by PID {pid} ({user}, {app})"),
            Text(
                "Look at the plan of PID {pid} in database {database}; cancel it if the volume is "
                "in danger; temp_file_limit sets a bound."
            ),
            "performance",
            # A monthly report may sort ten gigabytes; ``volumes`` reports a full disk.
            warning=10e9,
            raise_after=2,
            clear_margin=0.2,
            headline=Text(
                "{target}: temporary files grow large, most by PID {pid} ({user}, {app})"
            ),
        ),
        Threshold(
            "temp_written_bytes_per_second",
            Text(
                "{target}: queries spill {value} each second to disk, most in database {database}"
            ),
            Text(
                "Find the queries with log_temp_files or pg_stat_statements (temp_blks_written); "
                "add an index, or work_mem for that role."
            ),
            "performance",
            # A third of what a modest SATA disk writes, for five minutes on end.
            warning=50e6,
            raise_after=5,
            clear_margin=0.2,
            headline=Text("{target}: queries spill to disk, most in database {database}"),
        ),
    ),
    read=read,
    every=60.0,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. The PID and its query. 2. Room on the data volume (or temp_tablespaces). 3. Cancel it "
        "if need be. 4. work_mem, an index, temp_file_limit."
    ),
)
