"""The longest transaction, and what holds the xmin horizon back.

Age in time shows what users wait for; age in transactions shows how much VACUUM may not remove. The
holder is named whatever kind it is (``probes.postgresql.locks.horizon``).
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.locks import horizon
from probes.postgresql.statements import redacted
from probes.words.tables import exhibit

_SIGHT = f"select current_user as account, {SEES_EVERYBODY} as sees_everybody"

# Base backups and senders run for days by their nature, and so do (auto)vacuum workers.
_LONGEST = """
select a.pid, r.rolname::text as account, a.application_name as application,
       d.datname::text as database, coalesce(host(a.client_addr), 'socket') as client, a.state,
       a.wait_event_type as waits_for,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as transaction_seconds,
       left(a.query, 1000) as statement
from pg_stat_get_activity(null) a
left join pg_roles r on r.oid = a.usesysid left join pg_database d on d.oid = a.datid
where a.xact_start is not null and a.backend_type in ('client backend', 'background worker')
  and a.pid <> pg_backend_pid()
order by a.xact_start limit 10
"""


def read(session: Session) -> Iterable[Measurement]:
    """The longest and the horizon; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    require_sight(session.rows(_SIGHT)[0])
    longest = next(iter(session.rows(_LONGEST)), None)
    if longest is None:
        yield Measurement("longest_transaction_seconds", 0.0)
    else:
        yield Measurement(
            "longest_transaction_seconds",
            max(0.0, longest["transaction_seconds"]),
            detail={
                "pid": longest["pid"],
                "user": longest["account"] or "-",
                "app": longest["application"] or "-",
                "database": longest["database"] or "-",
                "state": longest["state"] or "-",
            },
        )
    held = horizon.holders(session)
    age = held[0]["age_xids"] if held else 0
    yield Measurement("xmin_horizon_age", float(age or 0), detail={"holder": horizon.said(held)})


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The ten longest transactions, and all that hold the horizon."""
    rows = [{**row, "statement": redacted(str(row["statement"]))} for row in session.rows(_LONGEST)]
    yield exhibit(Text("Longest transactions"), rows)
    yield horizon.table(session)


PROBE = Probe(
    name="long_transactions",
    engine="postgresql",
    question=Text("Which transaction runs for too long, and who holds the horizon back?"),
    measures=(
        Measure("longest_transaction_seconds", "seconds", "Age of the oldest open transaction."),
        Measure("xmin_horizon_age", "", "Transactions since the oldest snapshot still needed."),
    ),
    thresholds=(
        Threshold(
            "longest_transaction_seconds",
            Text("{target}: the transaction of PID {pid} ({user}, {app}, {state}) is {value} old"),
            Text(
                "A dump or a report may take long; otherwise ask the owner of application {app} "
                "whether this transaction is still needed."
            ),
            "vacuum",
            # A dump of a large database takes hours and is no fault; past half a day VACUUM has
            # missed a whole working day.
            warning=4 * 3600.0,
            critical=12 * 3600.0,
            headline=Text(
                "{target}: the transaction of PID {pid} ({user}, {app}) has been open for too long"
            ),
        ),
        Threshold(
            "xmin_horizon_age",
            Text(
                "{target}: VACUUM is held back by {value} {value:transaction|transactions}, "
                "{holder}"
            ),
            Text(
                "Let the holder go: end the session, COMMIT/ROLLBACK PREPARED, revive or drop the "
                "slot, or stop the query on the standby."
            ),
            "vacuum",
            # A quarter and a half of autovacuum_freeze_max_age's default: bloat by then, and
            # forced freezing soon.
            warning=50e6,
            critical=100e6,
            headline=Text("{target}: VACUUM is held back"),
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Who the holder is (evidence). 2. A session: call its owner, then "
        "`pg_terminate_backend`. 3. A prepared transaction: ROLLBACK PREPARED. 4. A slot without "
        "reader: revive the replica or `pg_drop_replication_slot`. 5. Then VACUUM the bloated "
        "tables."
    ),
)
