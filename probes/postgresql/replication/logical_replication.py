"""Logical replication: subscriptions that do not apply, and decoding that spills on the publisher.

On the subscriber: a missing worker, repeated errors, tables that are not ready. A subscription that
was disabled by hand is no fault; one that was seen working and is off now is
(``disable_on_error``). On the publisher: bytes that decoding spilled to disk.
Sources: PostgreSQL manual, pg_stat_subscription, pg_stat_subscription_stats (15),
pg_subscription_rel, pg_stat_replication_slots (14).
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.databases import visit
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.rates import growth
from probes.words.tables import exhibit

_WORKED = MemoryKey[set[str]]("subscriptions whose worker was seen")
_SPILLED = MemoryKey[Memory]("the publisher's counters, apart from the subscriber's")

_STATS_SINCE = 150000
_SPILL_SINCE = 140000

# The main apply worker has no table and no leader; parallel and table workers come and go.
# A standby has its primary's subscriptions in its catalogue and applies none of them.
# Matched by name and database: up to 13 nobody but a superuser may read pg_subscription.oid.
_SUBSCRIPTIONS = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody, s.subname::text as name,
       d.datname::text as database, s.subenabled as enabled, w.pid is not null as worker,
       extract(epoch from clock_timestamp() - w.last_msg_receipt_time)::float8 as silent_seconds,
       w.latest_end_lsn::text as applied, extract(epoch from clock_timestamp())::float8 as now
from pg_subscription s join pg_database d on d.oid = s.subdbid
left join (pg_stat_subscription w join pg_stat_get_activity(null) a on a.pid = w.pid)
  on w.subname = s.subname and a.datid = s.subdbid and w.relid is null
  and (to_jsonb(w)->>'leader_pid') is null
where not pg_is_in_recovery()
order by s.subname
"""  # noqa: S608 - only constants of this package are inserted

_ERRORS = """
select subname::text as name, apply_error_count::float8 as apply,
       sync_error_count::float8 as sync
from pg_stat_subscription_stats
"""

_NOT_READY = """
select s.subname::text as name, count(*) as tables, min(r.srrelid::regclass::text) as first
from pg_subscription_rel r
join (select distinct subid, subname from pg_stat_subscription) n on n.subid = r.srsubid
join pg_subscription s on s.subname = n.subname
join pg_database d on d.oid = s.subdbid and d.datname = current_database()
where r.srsubstate not in ('r', 's') and s.subenabled group by s.subname
"""

_SPILL = """
select extract(epoch from clock_timestamp())::float8 as now, slot_name::text as name,
       spill_bytes::float8 as bytes
from pg_stat_replication_slots
"""


def read(session: Session) -> Iterable[Measurement]:
    """Both sides; raises ``ProbeError(BLIND)`` if there is a subscription and no right to see
    it.
    """
    rows = session.rows(_SUBSCRIPTIONS)
    if rows:
        require_sight(rows[0])
        yield from _subscriber(session, rows)
    if session.version >= _SPILL_SINCE:
        yield from _publisher(session)


def _subscriber(session: Session, rows: list[Row]) -> Iterable[Measurement]:
    known = session.memory.of(_WORKED, set())
    errors = _new_errors(session, rows[0]["now"])
    for row in rows:
        name = f"{row['database']}.{row['name']}"
        if row["worker"]:
            known.add(name)
        detail: dict[str, object] = {
            "database": row["database"],
            "cause": Text("disabled (disable_on_error?)")
            if not row["enabled"]
            else Text("fails to start again and again"),
        }
        if row["enabled"] or name in known:
            yield Measurement("subscription_worker_up", float(row["worker"]), name, detail)
        if row["worker"] and row["silent_seconds"] is not None:
            seconds = max(0.0, row["silent_seconds"])
            yield Measurement("subscription_silent_seconds", seconds, name, detail)
        if row["name"] in errors:
            yield Measurement("subscription_new_errors", errors[row["name"]], name, detail)
    databases = sorted({str(row["database"]) for row in rows})
    for database, answer in visit(
        session, lambda own: own.rows(_NOT_READY), databases
    ).answers.items():
        for row in answer:
            yield Measurement(
                "subscription_tables_not_ready",
                float(row["tables"]),
                f"{database}.{row['name']}",
                {"first": row["first"]},
            )


def _new_errors(session: Session, now: float) -> dict[str, float]:
    """Errors since the previous reading, by subscription; empty before 15 and at the first."""
    if session.version < _STATS_SINCE:
        return {}
    counted: dict[str, float] = {}
    for row in session.rows(_ERRORS):
        counted[str(row["name"])] = (row["apply"] or 0.0) + (row["sync"] or 0.0)
    grown = growth(session.memory, now, counted)
    return dict(grown.by) if grown else {}


def _publisher(session: Session) -> Iterable[Measurement]:
    rows = session.rows(_SPILL)
    if not rows:
        return
    memory = session.memory.of(_SPILLED, Memory())
    grown = growth(memory, rows[0]["now"], {row["name"]: row["bytes"] for row in rows})
    for name in grown.by if grown else ():
        assert grown is not None  # noqa: S101 - the type checker does not follow the line above
        yield Measurement("logical_spill_bytes_per_second", grown.per_second(name), name)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The subscriptions and, if the server counts them, their errors."""
    yield exhibit(
        Text("Logical subscriptions"),
        session.rows(_SUBSCRIPTIONS),
        ("name", "database", "enabled", "worker", "silent_seconds", "applied"),
    )
    if session.version >= _STATS_SINCE:
        yield exhibit(Text("Errors of subscriptions"), session.rows(_ERRORS))


PROBE = Probe(
    name="logical_replication",
    engine="postgresql",
    question=Text("Do logical subscriptions apply?"),
    measures=(
        Measure("subscription_worker_up", "", "1 when its apply worker runs.", "subscription"),
        Measure(
            "subscription_silent_seconds",
            "seconds",
            "Time since the publisher last sent anything.",
            "subscription",
        ),
        Measure(
            "subscription_new_errors", "", "Errors since the previous reading.", "subscription"
        ),
        Measure("subscription_tables_not_ready", "", "Tables still being copied.", "subscription"),
        Measure(
            "logical_spill_bytes_per_second",
            "bytes",
            "Decoded changes spilled to disk per second.",
            "slot",
        ),
    ),
    thresholds=(
        Threshold(
            "subscription_worker_up",
            Text("{target}: subscription {subject} does not run: {cause}"),
            Text(
                "Read the subscriber's log (logical replication apply worker); mend the data, then "
                "ALTER SUBSCRIPTION … ENABLE. The publisher's slot keeps WAL meanwhile."
            ),
            "replication",
            critical=0.0,
            above=False,
            raise_after=3,
        ),
        Threshold(
            "subscription_new_errors",
            Text("{target}: subscription {subject} fails to apply changes ({value} new errors)"),
            Text(
                "The server log names the row and why (duplicate key, missing table or column): "
                "mend it on the subscriber, or skip it with ALTER SUBSCRIPTION … SKIP."
            ),
            "replication",
            # It is retried every few seconds, so a lasting error repeats in each reading;
            # a single one has healed.
            warning=1.0,
            critical=1.0,
            raise_after=2,
            headline=Text("{target}: subscription {subject} fails to apply changes"),
        ),
        Threshold(
            "subscription_silent_seconds",
            Text("{target}: the publisher has been silent to subscription {subject} for {value}"),
            Text("The publisher is frozen or the network swallows packets."),
            "replication",
            # An idle publisher sends at least every 30 s with default timeouts.
            warning=45.0,
            headline=Text("{target}: the publisher is silent to subscription {subject}"),
        ),
        Threshold(
            "subscription_tables_not_ready",
            Text(
                "{target}: {value} {value:table|tables} of subscription {subject} {value:is|are} "
                "not ready, among them "
                "{first}"
            ),
            Text(
                "The first copy is under way or fails again and again: see the log, and locks on "
                "the table."
            ),
            "replication",
            warning=1.0,
            raise_after=20,
            headline=Text(
                "{target}: tables of subscription {subject} are not ready"
            ),  # ten minutes: a first copy takes its time
        ),
        Threshold(
            "logical_spill_bytes_per_second",
            Text("{target}: decoding for slot {subject} spills {value} each second"),
            Text(
                "Large transactions: raise logical_decoding_work_mem or turn streaming on for the "
                "subscription."
            ),
            "performance",
            warning=50e6,
            raise_after=5,
            headline=Text("{target}: decoding for slot {subject} spills to disk"),
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. The subscriber's log. 2. The error: data, schema, rights. 3. Mend or skip. 4. Watch "
        "the publisher's slot until it has caught up."
    ),
)
