"""Signs that autovacuum falls behind.

Four signs: it is switched off; all its workers are busy for half an hour; a database is older than
the age at which freezing is forced; tables have many times the dead rows that should have triggered
it.
Sources: PostgreSQL manual, "The Autovacuum Daemon", pg_stat_user_tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    MemoryKey,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.databases import Visits, visit
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.words.tables import exhibit

_SERVER = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       pg_is_in_recovery() as in_recovery,
       current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on' as runs,
       (select count(*) from pg_stat_get_activity(null)
        where backend_type = 'autovacuum worker')::float8
         / greatest(1, current_setting('autovacuum_max_workers')::int) as busy,
       d.datname::text as oldest,
       greatest(
         age(d.datfrozenxid)::float8 / current_setting('autovacuum_freeze_max_age')::float8,
         mxid_age(d.datminmxid)::float8
           / current_setting('autovacuum_multixact_freeze_max_age')::float8) as overdue
from pg_database d order by overdue desc limit 1
"""  # noqa: S608 - only constants of this package are inserted

ENOUGH_DEAD = 100_000
"""Dead rows below which a table does not matter."""

LOOKS_PASSED_OVER = 11
"""At most this many in a row: after a loss of statistics ANALYZE finds dead rows without a sign."""

# Every dead row was inserted, updated or deleted once, so this bounds how many there are more.
_CHANGES = """
select datname::text as name, (tup_inserted + tup_updated + tup_deleted)::float8 as changes
from pg_stat_database where datname is not null
"""

_MOST_DEAD = """
select coalesce(max(pg_stat_get_dead_tuples(oid)), 0)::float8 as dead
from pg_class where relkind in ('r', 't', 'm')
"""

# Several times what calls autovacuum, and enough to matter; a table's own options may differ.
_TABLES = f"""
select s.schemaname || '.' || s.relname as name, s.n_dead_tup::float8 as dead,
       c.reltuples::float8 as live,
       greatest(s.last_autovacuum, s.last_vacuum)::text as last_vacuum,
       s.n_dead_tup / (current_setting('autovacuum_vacuum_threshold')::float8
         + current_setting('autovacuum_vacuum_scale_factor')::float8
           * greatest(0, c.reltuples)) as times
from pg_stat_user_tables s join pg_class c on c.oid = s.relid
where s.n_dead_tup >= {ENOUGH_DEAD}
  and s.n_dead_tup >= 5 * (current_setting('autovacuum_vacuum_threshold')::float8
    + current_setting('autovacuum_vacuum_scale_factor')::float8 * greatest(0, c.reltuples))
order by s.n_dead_tup desc limit 20
"""  # noqa: S608 - only a constant of this module is inserted


@dataclass(slots=True)
class _Look:
    """Result of the last look into a database."""

    changes: float  # before it
    most_dead: float
    passed_over: int = 0  # times since

    def suffices(self, changes: float) -> bool:
        """Whether no table there can have come to matter after so many changes."""
        return (
            self.passed_over < LOOKS_PASSED_OVER
            and self.most_dead + changes - self.changes < ENOUGH_DEAD
            and changes >= self.changes  # else the statistics were reset
        )


def read(session: Session) -> Iterable[Measurement]:
    """State of autovacuum; nothing on a replica, where it does not run."""
    row = session.rows(_SERVER)[0]
    require_sight(row)
    if row["in_recovery"]:
        return
    yield Measurement("autovacuum_off", float(not row["runs"]))
    yield Measurement("autovacuum_workers_busy_ratio", row["busy"])
    yield Measurement("freeze_overdue_ratio", row["overdue"], detail={"database": row["oldest"]})
    found = _overdue(_look(session))
    detail = {}
    if found:
        database, worst = max(found, key=lambda each: each[1]["dead"])
        detail = {
            "table": f"{database}.{worst['name']}",
            "dead": f"{worst['dead']:.0f}",
            "last": worst["last_vacuum"] or "-",
        }
    yield Measurement("tables_overdue_for_vacuum", float(len(found)), detail=detail)


_LOOKS = MemoryKey[dict[str, _Look]]("the last look at each database")


def _look(session: Session) -> Visits:
    """The tables of every database; one login each, so not where nothing can have changed."""
    changes = {str(row["name"]): float(row["changes"]) for row in session.rows(_CHANGES)}
    looks = session.memory.of(_LOOKS, {})
    unchanged = [name for name, look in looks.items() if look.suffices(changes.get(name, -1.0))]
    for name in unchanged:
        looks[name].passed_over += 1

    def ask(own: Session) -> list[Row]:
        name = own.target.address.database
        rows = own.rows(_TABLES)
        looks[name] = _Look(changes.get(name, 0.0), float(own.rows(_MOST_DEAD)[0]["dead"]))
        return rows

    return visit(session, ask, unchanged=unchanged)


def _overdue(visits: Visits) -> list[tuple[str, Row]]:
    return [(name, row) for name, rows in visits.answers.items() for row in rows]


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The tables of this database that wait, and what the workers do."""
    yield exhibit(Text("Tables that wait for VACUUM"),
                  session.rows(_TABLES))  # fmt: skip
    yield exhibit(
        Text("VACUUM under way"),
        session.rows(
            "select pid, datname::text as database, relid, phase, heap_blks_total, "
            "heap_blks_scanned from pg_stat_progress_vacuum"
        ),
    )


PROBE = Probe(
    name="autovacuum",
    engine="postgresql",
    question=Text("Is autovacuum falling behind?"),
    measures=(
        Measure("autovacuum_off", "", "1 when autovacuum or track_counts is switched off."),
        Measure(
            "autovacuum_workers_busy_ratio",
            "ratio",
            "Busy workers as a share of autovacuum_max_workers.",
        ),
        Measure(
            "freeze_overdue_ratio",
            "ratio",
            "Age of the oldest database as a share of the age that forces freezing.",
        ),
        Measure(
            "tables_overdue_for_vacuum",
            "",
            "Tables with five times the dead rows that trigger autovacuum.",
        ),
    ),
    thresholds=(
        Threshold(
            "autovacuum_off",
            Text("{target}: autovacuum is switched off"),
            Text("Switch autovacuum and track_counts on again (ALTER SYSTEM RESET, reload)."),
            "vacuum",
            warning=1.0,
            raise_after=2,
        ),
        Threshold(
            "autovacuum_workers_busy_ratio",
            Text("{target}: all autovacuum workers are busy without a break"),
            Text(
                "Raise autovacuum_vacuum_cost_limit or autovacuum_max_workers; find the table that "
                "is vacuumed all the time (pg_stat_progress_vacuum)."
            ),
            "vacuum",
            warning=1.0,
            raise_after=6,  # half an hour on end; a big batch delete passes sooner
        ),
        Threshold(
            "freeze_overdue_ratio",
            Text("{target}: freezing of database {database} is overdue: {value} of the forced age"),
            Text(
                "Forced autovacuum does not catch up: see long_transactions (who holds the "
                "horizon) and VACUUM under way; `VACUUM FREEZE` the oldest tables."
            ),
            "vacuum",
            # At 100 % freezing is only forced to begin; 10 % and 25 % beyond are the common
            # signs that it does not finish.
            warning=1.1,
            critical=2.0,
            headline=Text("{target}: freezing of database {database} is overdue"),
        ),
        Threshold(
            "tables_overdue_for_vacuum",
            Text(
                "{target}: {value} {value:table waits|tables wait} for VACUUM; worst {table} "
                "({dead} dead rows)"
            ),
            Text(
                "See long_transactions: a horizon held back makes VACUUM useless. Otherwise VACUUM "
                "that table and lower its autovacuum_vacuum_scale_factor."
            ),
            "vacuum",
            warning=1.0,
            raise_after=6,
            headline=Text(
                "{target}: tables wait for VACUUM, worst {table}"
            ),  # right after a batch delete it is autovacuum's turn first
        ),
    ),
    read=read,
    every=300.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Is it on, and busy with what. 2. Who holds the horizon. 3. Its cost settings. "
        "4. VACUUM the worst table by hand. 5. Settings of that table."
    ),
)
