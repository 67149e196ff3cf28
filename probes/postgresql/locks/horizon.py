"""What keeps old row versions alive: the oldest snapshot still needed, and its holder.

VACUUM removes nothing newer than that, in any database, and cannot freeze past it. Four kinds hold
it: sessions, prepared transactions, replication slots, and standbys with hot_standby_feedback.
Sources: PostgreSQL manual, "Routine Vacuuming", pg_stat_activity, pg_prepared_xacts,
pg_replication_slots, pg_stat_replication.
"""

from __future__ import annotations

from collections.abc import Sequence

from probes.i18n.formats import duration
from probes.model import Exhibit, Row, Session, Text
from probes.words.tables import exhibit

# A standby that uses a slot shows its xmin in the slot; a walsender's own xmin is listed as
# standby. VACUUM itself and our own session hold nothing back, nor does an invalidated slot,
# which keeps its xmin in the view (columns: 13 wal_status, 16 conflicting, 17 its reason).
HOLDERS = """
select 'session' as kind, a.pid::text as name, r.rolname::text as account,
       a.application_name as application, d.datname::text as database, a.state,
       greatest(age(a.backend_xmin), age(a.backend_xid)) as age_xids,
       extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start))::float8
         as age_seconds
from pg_stat_get_activity(null) a
left join pg_roles r on r.oid = a.usesysid left join pg_database d on d.oid = a.datid
where (a.backend_xmin is not null or a.backend_xid is not null) and a.pid <> pg_backend_pid()
  and a.backend_type not in ('walsender', 'autovacuum worker')
  and a.query not ilike 'vacuum%'
union all
select 'prepared', gid, owner::text, null, database::text, 'prepared', age(transaction),
       extract(epoch from clock_timestamp() - prepared)::float8
from pg_prepared_xacts
union all
select 'slot', slot_name::text, null, null, database::text,
       case when active then 'active' else 'inactive' end,
       greatest(age(xmin), age(catalog_xmin)), null
from pg_replication_slots s cross join lateral (select to_jsonb(s) as j) j
where (xmin is not null or catalog_xmin is not null) and j->>'wal_status' is distinct from 'lost'
  and j->>'invalidation_reason' is null and not coalesce((j->>'conflicting')::bool, false)
union all
select 'standby', application_name, usename::text, application_name, null, state,
       age(backend_xmin), null
from pg_stat_replication where backend_xmin is not null
order by age_xids desc nulls last limit 20
"""

NOBODY = Text("nobody holds it")

_SAID = {
    "session": Text("held by session PID {name} ({account}, {application}, {state}, {since})"),
    "prepared": Text("held by prepared transaction '{name}' ({account}, {since})"),
    "slot": Text("held by slot {name} ({state})"),
    "standby": Text("held by a query on standby {name} (hot_standby_feedback)"),
}


def holders(session: Session) -> list[Row]:
    """All that hold the horizon back, the oldest first; at most 20.

    On a replica only its own sessions are visible: their snapshots delay replay, not VACUUM. Needs
    pg_read_all_stats: check first, since a missing right shows as no holder.
    """
    return session.rows(HOLDERS)


_KINDS = {
    "session": Text("session"),
    "prepared": Text("prepared", context="holder"),
    "slot": Text("slot"),
    "standby": Text("standby"),
}
_STATES = {
    ("prepared", "prepared"): Text("prepared"),
    ("slot", "active"): Text("active"),
    ("slot", "inactive"): Text("inactive"),
}
"""The states this query writes itself; those of sessions and standbys are the server's words."""


def table(session: Session) -> Exhibit:
    """All that hold the horizon back, for evidence."""
    rows = [{**row, "kind": _KINDS[row["kind"]], "state": _state(row)} for row in holders(session)]
    return exhibit(Text("Who holds the xmin horizon"), rows)


def _state(row: Row) -> object:
    return _STATES.get((str(row["kind"]), str(row["state"])), row["state"])


def said(rows: Sequence[Row]) -> Text:
    """The oldest holder in words."""
    if not rows:
        return NOBODY
    row = rows[0]
    return _SAID[str(row["kind"])].format(
        name=row["name"],
        account=row["account"] or "-",
        application=row["application"] or "-",
        state=_state(row) or "-",
        since=duration(row["age_seconds"] or 0.0),
    )
