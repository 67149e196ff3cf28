"""Sessions that are idle inside an open transaction.

Such a session keeps its locks and prevents VACUUM from removing old row versions while it does
nothing. The age counts from when it became idle. Source: PostgreSQL manual, pg_stat_activity.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.i18n.formats import duration
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.statements import redacted
from probes.words.tables import exhibit

_SIGHT = f"select current_user as account, {SEES_EVERYBODY} as sees_everybody"

_IDLE = """
select a.pid, r.rolname::text as account, a.application_name as application,
       d.datname::text as database, coalesce(host(a.client_addr), 'socket') as client, a.state,
       a.backend_start::text as backend_start,
       extract(epoch from clock_timestamp() - a.state_change)::float8 as idle_seconds,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as transaction_seconds,
       a.backend_xid is not null as has_written, count(*) over () as sessions,
       left(a.query, 1000) as statement
from pg_stat_get_activity(null) a
left join pg_roles r on r.oid = a.usesysid left join pg_database d on d.oid = a.datid
where a.state in ('idle in transaction', 'idle in transaction (aborted)')
order by a.state_change limit 20
"""


def read(session: Session) -> Iterable[Measurement]:
    """How many, and the longest; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    require_sight(session.rows(_SIGHT)[0])
    rows = session.rows(_IDLE)
    if not rows:
        yield Measurement("idle_in_transaction_sessions", 0.0)
        yield Measurement("idle_in_transaction_seconds", 0.0)
        return
    worst = rows[0]
    wrote = bool(worst["has_written"])
    detail = {
        "pid": worst["pid"],
        "user": worst["account"] or "-",
        "app": worst["application"] or "-",
        "database": worst["database"] or "-",
        "client": worst["client"],
        "since": duration(worst["transaction_seconds"] or 0.0),
        "wrote": Text("has written") if wrote else Text("only reads"),
        "sessions": worst["sessions"],
    }
    yield Measurement("idle_in_transaction_sessions", float(worst["sessions"]), detail=detail)
    seconds = max(0.0, worst["idle_seconds"])
    yield Measurement("idle_in_transaction_seconds", seconds, detail=detail)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The sessions, their last statement without its literals, and the command that ends each."""
    rows = []
    for row in session.rows(_IDLE):
        command = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - shown, never run
            f"WHERE pid = {row['pid']} AND backend_start = '{row['backend_start']}';"
        )
        rows.append({**row, "statement": redacted(str(row["statement"])), "command": command})
    yield exhibit(
        Text("Sessions idle in transaction"),
        rows,
        (
            "pid", "account", "application", "database", "client", "state", "idle_seconds",
            "transaction_seconds", "has_written", "statement", "command",
        ),
    )  # fmt: skip


PROBE = Probe(
    name="idle_in_transaction",
    engine="postgresql",
    question=Text("Which session has left its transaction open?"),
    measures=(
        Measure("idle_in_transaction_sessions", "", "Sessions idle inside a transaction."),
        Measure("idle_in_transaction_seconds", "seconds", "How long the longest has been idle."),
    ),
    thresholds=(
        Threshold(
            "idle_in_transaction_seconds",
            Text(
                "{target}: PID {pid} ({user}, {app}) has been idle in a transaction for {value}, "
                "{wrote}"
            ),
            Text(
                "Call the owner of application {app} at {client}; the command that ends the "
                "session is in the evidence. idle_in_transaction_session_timeout prevents it."
            ),
            "locks",
            # 5 and 15 minutes are common practice. blocked_sessions reports blocked users at once;
            # idling alone does harm slowly and so opens an incident only late.
            warning=300.0,
            critical=3600.0,
            headline=Text("{target}: PID {pid} ({user}, {app}) is idle in a transaction"),
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Who and which application (evidence). 2. Does it hold locks: see blocked_sessions. "
        "3. Have its owner end the transaction; if out of reach, end the session. 4. Set "
        "idle_in_transaction_session_timeout on the application's role."
    ),
)
