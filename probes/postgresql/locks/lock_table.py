"""Use of the shared lock table, and locks by mode.

Once it is full, any statement may fail with "out of shared memory", often the dump or a query on a
table with many partitions. Its size is a minimum: the server can use some more. The counts by mode
are for graphs and have no threshold; blocked_sessions reports the effects.
Source: PostgreSQL manual, max_locks_per_transaction and table-level lock modes.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight

# An unused mode is 0 and not absent, so that its graph has no gaps.
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
    "SIReadLock",
)

# Fast-path locks are stored with each session, predicate locks in a separate table.
_LOCKS = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody, mode,
       count(*) as locks,
       count(*) filter (where not fastpath and mode <> 'SIReadLock') as shared,
       current_setting('max_locks_per_transaction')::float8
         * (current_setting('max_connections')::float8
            + current_setting('max_prepared_transactions')::float8) as room
from pg_locks group by mode
"""  # noqa: S608 - only constants of this package are inserted

_MOST = """
select l.pid, r.rolname::text as account, a.application_name as application, l.locks
from (select pid, count(*) as locks from pg_locks
      where not fastpath group by pid order by count(*) desc limit 1) l
left join pg_stat_get_activity(null) a on a.pid = l.pid left join pg_roles r on r.oid = a.usesysid
"""

_NAME_THE_HOLDER_FROM = 0.2


def read(session: Session) -> Iterable[Measurement]:
    """Locks by mode, locks held of those possible, and the session with most."""
    rows = session.rows(_LOCKS)  # never empty: reading pg_locks takes a lock
    require_sight(rows[0])
    found = {str(row["mode"]): int(row["locks"]) for row in rows}
    for mode in dict.fromkeys((*MODES, *found)):
        yield Measurement("locks", float(found.get(mode, 0)), mode)
    held, room = sum(int(row["shared"]) for row in rows), rows[0]["room"]
    ratio = held / room
    detail: dict[str, object] = {"held": held, "room": int(room)}
    if ratio >= _NAME_THE_HOLDER_FROM:
        most = next(iter(session.rows(_MOST)), None)
        if most is not None:
            detail |= {
                "pid": most["pid"] or "prepared",
                "user": most["account"] or "-",
                "app": most["application"] or "-",
                "locks": most["locks"],
            }
    yield Measurement("lock_table_used_ratio", ratio, detail=detail)


PROBE = Probe(
    name="lock_table",
    engine="postgresql",
    question=Text("How full is the shared lock table, and with locks of which mode?"),
    measures=(
        Measure(
            "lock_table_used_ratio",
            "ratio",
            "Locks held as a share of max_locks_per_transaction x slots.",
        ),
        Measure("locks", "", "Locks held or waited for, by lock mode.", "mode"),
    ),
    thresholds=(
        Threshold(
            "lock_table_used_ratio",
            Text(
                "{target}: the lock table is {value} full; PID {pid} ({user}, {app}) holds {locks}"
            ),
            Text(
                "Usually a dump or a query over thousands of partitions: wait for it or split it; "
                "raising max_locks_per_transaction needs a restart (replicas first)."
            ),
            "locks",
            # A dump of a few thousand tables passes 20 %, common practice's mark, every night.
            warning=0.5,
            critical=0.85,
            clear_margin=0.1,
            headline=Text(
                "{target}: the lock table is filling up; most by PID {pid} ({user}, {app})"
            ),
        ),
    ),
    read=read,
    every=60.0,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Who holds most locks. 2. A backup: let it finish. 3. An application: touch fewer "
        "partitions in one transaction. 4. Plan a larger max_locks_per_transaction."
    ),
)
