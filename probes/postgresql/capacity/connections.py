"""Connection slots left for applications, and who uses most.

The capacity is max_connections without the slots reserved for superusers and, from 16 on, for roles
with pg_use_reserved_connections: an application is refused before max_connections is reached.
Replication senders have their own slots. Source: PostgreSQL manual, "Connections and
Authentication".
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Row, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.words.tables import exhibit

# current_setting(…, true) is empty where the setting does not exist (before 16).
_USED = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       count(*) filter (where a.backend_type = 'client backend')::float8 as used,
       count(*) filter (where a.backend_type = 'client backend' and a.state = 'idle')::float8
         as idle,
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int as room
from pg_stat_get_activity(null) a
"""  # noqa: S608 - only constants of this package are inserted

_SIGHT = f"select current_user as account, {SEES_EVERYBODY} as sees_everybody"

_HOARDERS = """
select r.rolname::text as account, a.application_name as application,
       coalesce(host(a.client_addr), 'socket') as client, count(*) as sessions,
       count(*) filter (where a.state = 'idle') as idle,
       count(*) filter (where a.state = 'active') as active,
       count(*) filter (where a.state like 'idle in transaction%') as in_transaction,
       min(a.backend_start) as since
from pg_stat_get_activity(null) a left join pg_roles r on r.oid = a.usesysid
where a.backend_type = 'client backend'
group by 1, 2, 3 order by count(*) desc limit 20
"""

# A role's or a database's own limit refuses logins while the server has room.
_LIMITS = """
select 'role' as kind, r.rolname::text as name, count(a.pid)::float8 as used,
       r.rolconnlimit as room
from pg_roles r join pg_stat_get_activity(null) a on a.usesysid = r.oid
where r.rolconnlimit > 0 and not r.rolsuper and r.rolname <> current_user
group by 2, 4
union all
select 'database', d.datname::text, count(a.pid)::float8, d.datconnlimit
from pg_database d join pg_stat_get_activity(null) a on a.datid = d.oid
where d.datconnlimit > 0 group by 2, 4
"""

_NAME_THE_HOARDER_FROM = 0.6


def read(session: Session) -> Iterable[Measurement]:
    """Slots used of those applications may use; raises ``ProbeError(BLIND)`` without the right."""
    row = session.rows(_USED)[0]
    require_sight(row)
    used, room = float(row["used"]), max(1, int(row["room"]))
    ratio = used / room
    detail: dict[str, object] = {"used": int(used), "room": room, "idle": int(row["idle"])}
    if ratio >= _NAME_THE_HOARDER_FROM:
        detail |= _hoarder(session.rows(_HOARDERS))
    yield Measurement("connections", used)
    yield Measurement("connections_used_ratio", ratio, detail=detail)
    for limit in session.rows(_LIMITS):
        yield Measurement(
            "connection_limit_used_ratio",
            limit["used"] / limit["room"],
            f"{limit['kind']}:{limit['name']}",
            {"used": int(limit["used"]), "room": limit["room"]},
        )


def _hoarder(rows: list[Row]) -> dict[str, object]:
    if not rows:
        return {}
    most = rows[0]
    return {
        "user": most["account"] or "-",
        "app": most["application"] or "-",
        "client": most["client"],
        "sessions": most["sessions"],
        "most_idle": most["idle"],
    }


def exhibits(session: Session) -> Iterable[Exhibit]:
    """Slots by account and state, and since when the oldest session exists."""
    require_sight(session.rows(_SIGHT)[0])
    yield exhibit(Text("Who holds the connection slots"), session.rows(_HOARDERS))


PROBE = Probe(
    name="connections",
    engine="postgresql",
    question=Text("How many connection slots are left for applications?"),
    measures=(
        Measure("connections", "", "Client sessions now."),
        Measure(
            "connections_used_ratio",
            "ratio",
            "Sessions as a share of the slots ordinary accounts may use.",
        ),
        Measure(
            "connection_limit_used_ratio",
            "ratio",
            "Sessions as a share of a role's or database's own connection limit.",
            "holder",
        ),
    ),
    thresholds=(
        Threshold(
            "connections_used_ratio",
            Text(
                "{target}: {value} of the connection slots are used ({used} of {room}); most by "
                "{user} ({app}) with {sessions}"
            ),
            Text(
                "Cap the pool of application {app} at {client} ({most_idle} of its sessions are "
                "idle) or put a pooler in front; raising max_connections needs a restart."
            ),
            "connections",
            # 80 % is common practice; at 95 % the next burst of logins is refused.
            warning=0.8,
            critical=0.95,
            raise_after=2,
            clear_margin=0.1,
            headline=Text(
                "{target}: connection slots are running out, most of them by {user} ({app})"
            ),
        ),
        Threshold(
            "connection_limit_used_ratio",
            Text(
                "{target}: {value} of the connection limit of {subject} is used ({used} of {room})"
            ),
            Text(
                "The next logins are refused although the server has room: raise CONNECTION LIMIT "
                "or shrink the pool."
            ),
            "connections",
            warning=0.9,
            raise_after=2,
            clear_margin=0.1,
            headline=Text("{target}: the connection limit of {subject} is nearly reached"),
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Who holds the slots (evidence). 2. Many wait for a lock? See blocked_sessions. "
        "3. Many idle? Shrink the pool. 4. A connection leak after a release? Restart that "
        "application. 5. Plan a pooler or max_connections."
    ),
)
