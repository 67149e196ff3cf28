"""What fills PostgreSQL's volumes: WAL (and what keeps it), temporary files, logs, a database.

Also whether, when a slot keeps WAL, the slot is lost (``max_slot_wal_keep_size``) before the disk
is full. Sources: PostgreSQL manual, pg_ls_waldir, pg_ls_archive_statusdir, pg_ls_tmpdir,
pg_ls_logdir (executable by pg_monitor), pg_database_size, pg_tablespace_size,
pg_replication_slots.safe_wal_size. A database may be in several tablespaces, and the server does
not show how much of it is in which: if there are tablespaces besides its own, they are the
consumers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from probes.i18n.formats import duration
from probes.local.growth import (
    FILLED_BY,
    MEASURES,
    Filling,
    Headroom,
    Use,
    fillings,
    measurements,
    room_on,
    speeds,
    table,
    watch,
)
from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.wire import deadline
from probes.words import failure_text
from probes.words.tables import exhibit
from probes.words.units import written

_STATE = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       extract(epoch from clock_timestamp())::float8 as now,
       pg_wal_lsn_diff(case when pg_is_in_recovery()
         then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
         else pg_current_wal_lsn() end, '0/0')::float8 as written,
       pg_size_bytes(current_setting('wal_segment_size'))::float8 as segment_bytes,
       pg_size_bytes(current_setting('max_wal_size'))::float8 as max_wal_bytes,
       coalesce(pg_size_bytes(current_setting('wal_keep_size', true)), 0)::float8 as keep_bytes,
       current_setting('logging_collector') = 'on' as collects_log
"""  # noqa: S608 - the only thing put in is a constant of this project

_DIRECTORIES = """
select (select coalesce(sum(size), 0) from pg_ls_waldir())::float8 as wal,
       (select count(*) from pg_ls_archive_statusdir() where name like '%.ready')::float8 as ready
"""

_TEMPORARY = """
select t.spcname as name, coalesce(sum(f.size), 0)::float8 as bytes
from pg_tablespace t cross join lateral pg_ls_tmpdir(t.oid) f
where t.spcname <> 'pg_global' group by 1
"""

_LOGS = "select coalesce(sum(size), 0)::float8 as bytes from pg_ls_logdir()"

_SIZES = """
select datname::text as name, pg_database_size(oid)::float8 as bytes
from pg_database order by datname
"""

# Temporary files are a consumer of their own.
_TABLESPACES = """
select t.spcname::text as name, (pg_tablespace_size(t.oid)
         - coalesce((select sum(f.size) from pg_ls_tmpdir(t.oid) f), 0))::float8 as bytes
from pg_tablespace t
where t.spcname <> 'pg_global'
  and exists (select from pg_tablespace where spcname not in ('pg_default', 'pg_global'))
"""

_SLOTS = """
select s.slot_name::text as name, s.active, (j.j->>'safe_wal_size')::float8 as safe_bytes,
       pg_wal_lsn_diff(case when pg_is_in_recovery()
         then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
         else pg_current_wal_lsn() end, s.restart_lsn)::float8 as retained_bytes
from pg_replication_slots s cross join lateral (select to_jsonb(s) as j) j
where s.restart_lsn is not null and not s.temporary
"""

# Sizes as of the last VACUUM or ANALYZE: the true ones would wait for whoever holds the table.
_TABLES = """
select s.schemaname || '.' || s.relname as "table", s.n_tup_ins + s.n_tup_upd as rows_written,
       s.n_live_tup as rows_live,
       c.relpages::int8 * current_setting('block_size')::int8 as bytes_when_last_vacuumed
from pg_stat_user_tables s join pg_class c on c.oid = s.relid
order by rows_written desc limit 10
"""

SIZES_EVERY_SECONDS = 300.0
SLOW_SIZES_EVERY_SECONDS = 3600.0
_SLOW_SECONDS = 1.0
_SIZES_BUDGET_SECONDS = 2.0
_FAR_SECONDS = 30 * 86400.0


def read(session: Session) -> Iterable[Measurement]:
    """Size and growth of each consumer; raises ``ProbeError(BLIND)`` without pg_monitor's
    rights.
    """
    state = session.rows(_STATE)[0]
    require_sight(state)
    now, memory = float(state["now"]), session.memory
    slots = session.rows(_SLOTS)
    uses = list(_now(session, state, slots))
    fresh = uses + _sizes(session, now)
    watch(
        memory,
        now,
        {use.consumer: use.bytes for use in fresh}
        | {f"slot:{row['name']}": max(0.0, row["retained_bytes"] or 0.0) for row in slots},
    )
    growth = speeds(memory)
    uses += known_sizes(memory)
    rooms = room_on(session, (use.place for use in uses))
    found = fillings(uses, growth, rooms)
    lost = tuple(losses(slots, growth, _wal_filling(found, rooms)))
    yield from measurements(uses, growth, found, _first_words(lost, rooms))
    yield from lost


def _now(session: Session, state: Row, slots: list[Row]) -> Iterable[Use]:
    """The consumers that are cheap to query."""
    row = session.rows(_DIRECTORIES)[0]
    waiting = float(row["ready"]) * float(state["segment_bytes"])
    wal = float(row["wal"])
    # Up to here WAL grows by itself after a quiet time, and stops (max_wal_size).
    ceiling = max(float(state["max_wal_bytes"]), float(state["keep_bytes"]))
    yield Use("wal", wal, "wal", wal_holder(wal, waiting, slots), ceiling)
    for each in session.rows(_TEMPORARY):
        default = each["name"] == "pg_default"
        place = "data" if default else f"tablespace:{each['name']}"
        words = Text("temporary data of queries")
        yield Use("temp" if default else f"temp:{each['name']}", each["bytes"], place, words)
    if state["collects_log"]:
        words = Text("the server's log")
        yield Use("log", session.rows(_LOGS)[0]["bytes"], "log", words)


def wal_holder(wal_bytes: float, waiting_bytes: float, slots: list[Row]) -> Text:
    """Why WAL is kept, in words: the slot or the archive that accounts for half of it."""
    holder = max(slots, key=lambda each: each["retained_bytes"] or 0.0, default=None)
    kept = 0.0 if holder is None else float(holder["retained_bytes"] or 0.0)
    if holder is not None and kept >= max(wal_bytes / 2, waiting_bytes):
        state = Text("") if holder["active"] else Text(" inactive")
        return Text(
            "WAL kept by{state} slot {name} ({kept})",
            name=holder["name"],
            kept=written(kept, "bytes"),
            state=state,
        )
    if waiting_bytes >= wal_bytes / 2 and waiting_bytes > 0:
        return Text("WAL that is not archived yet ({kept})", kept=written(waiting_bytes, "bytes"))
    return Text("WAL")


class _Sizes(NamedTuple):
    """Bytes by name, as last known."""

    databases: dict[str, float]
    tablespaces: dict[str, float]


SIZES_DUE = MemoryKey[float]("when the databases are sized again")
_SIZED = MemoryKey[_Sizes]("sizes of databases and tablespaces")


def _sizes(session: Session, now: float) -> list[Use]:
    """Databases and tablespaces; scans their files, so it runs rarely and with a time limit."""
    due = session.memory.get(SIZES_DUE) or 0.0
    if now < due <= now + SLOW_SIZES_EVERY_SECONDS:
        return []
    started = time.monotonic()
    found: _Sizes | None = None
    try:
        seconds = min(_SIZES_BUDGET_SECONDS, deadline.remaining() / 2)
        with deadline.within(seconds), session.fresh() as own:
            found = _Sizes(_sized(own, _SIZES), _sized(own, _TABLESPACES))
        slow = time.monotonic() - started > _SLOW_SECONDS
    except ProbeError:  # too many files to walk: the other consumers are told all the same
        slow = True
    every = SLOW_SIZES_EVERY_SECONDS if slow else SIZES_EVERY_SECONDS
    session.memory.set(SIZES_DUE, now + every)
    if found is None:
        return []
    session.memory.set(_SIZED, found)
    return known_sizes(session.memory)


def _sized(session: Session, sql: str) -> dict[str, float]:
    rows = session.rows(sql)
    return {str(row["name"]): float(row["bytes"]) for row in rows if row["bytes"] is not None}


def known_sizes(memory: Memory) -> list[Use]:
    """The databases and tablespaces with their last known sizes."""
    sized = memory.get(_SIZED)
    databases, tablespaces = ({}, {}) if sized is None else sized
    place = "" if tablespaces else "data"
    return [
        *(
            Use(
                f"database:{name}",
                size,
                place,
                Text("database {name}", name=name),
            )
            for name, size in databases.items()
        ),
        *(
            Use(
                f"tablespace:{name}",
                size,
                "data" if name == "pg_default" else f"tablespace:{name}",
                Text("tablespace {name}", name=name),
            )
            for name, size in tablespaces.items()
        ),
    ]


# -- slot lost or disk full ------------------------------------------------------------------------


def losses(
    slots: list[Row], growth: Mapping[str, float], full_in: float | None
) -> Iterable[Measurement]:
    """When each slot is lost if it keeps falling behind, and whether the disk is full before that.

    Only slots limited by max_slot_wal_keep_size (safe_wal_size, PostgreSQL 13) can be lost this
    way. The growth of the WAL kept for the slot counts, not the rate at which WAL is written: a
    slot that is read keeps up. ``full_in``: seconds until the WAL volume is full; None if it does
    not fill or is not known.
    """
    for row in slots:
        speed = growth.get(f"slot:{row['name']}")
        if row["safe_bytes"] is None or speed is None:
            continue
        safe = max(0.0, float(row["safe_bytes"]))
        seconds = min(safe / speed, _FAR_SECONDS) if speed > 0 else _FAR_SECONDS
        detail = {
            "kept": written(max(0.0, float(row["retained_bytes"] or 0.0)), "bytes"),
            "speed": written(speed * 3600, "bytes"),
            "first": _first(seconds, full_in),
        }
        yield Measurement("slot_lost_in_seconds", seconds, str(row["name"]), detail)


def _first(lost_in: float, full_in: float | None) -> Text:
    if full_in is None:
        return Text("before its WAL volume is full")
    if lost_in <= full_in:
        return Text("sooner than the WAL volume is full ({full})", full=duration(full_in))
    return Text("but the WAL volume is full sooner ({full})", full=duration(full_in))


def _wal_filling(found: Iterable[Filling], rooms: Mapping[str, Headroom]) -> float | None:
    room = rooms.get("wal")
    times = [each.seconds for each in found if room is not None and each.room == room]
    return times[0] if times else None


def _first_words(lost: Iterable[Measurement], rooms: Mapping[str, Headroom]) -> Mapping[str, Text]:
    """For the title of the WAL volume's finding: the slot that would be lost first."""
    soonest = min(lost, key=lambda each: each.value, default=None)
    room = rooms.get("wal")
    if soonest is None or room is None or soonest.value >= _FAR_SECONDS:
        return {}
    words = Text(
        "; slot {name} is lost in {time}", name=soonest.subject, time=duration(soonest.value)
    )
    return {room.mount: words}


def exhibits(session: Session) -> Iterable[Exhibit]:
    """Every consumer with its size and growth, and the tables most written to in a growing
    database.
    """
    state = session.rows(_STATE)[0]
    require_sight(state)
    uses = [*_now(session, state, session.rows(_SLOTS)), *known_sizes(session.memory)]
    growth = speeds(session.memory)
    yield table(uses, growth)
    growing = {name: speed for name, speed in growth.items() if name.startswith("database:")}
    fastest = max(growing, key=lambda each: growing[each], default="")
    if growing.get(fastest, 0.0) > 0:
        yield _most_written(session, fastest.partition(":")[2])


def _most_written(session: Session, database: str) -> Exhibit:
    """The tables of one database with most rows written since its statistics began."""
    title = Text("The tables most written to in database {name}", name=database)
    try:
        seconds = min(_SIZES_BUDGET_SECONDS, deadline.remaining() / 2)
        with deadline.within(seconds), session.fresh(database) as own:
            return exhibit(title, own.rows(_TABLES))
    except ProbeError as error:  # the account may not enter it: the consumers are told all the same
        return Exhibit(title, (), (), note=failure_text.shown(error.failure))


PROBE = Probe(
    name="disk_growth",
    engine="postgresql",
    question=Text("Who fills the disk, and which comes first: the slot lost or the disk full?"),
    measures=(
        *MEASURES,
        Measure(
            "slot_lost_in_seconds",
            "seconds",
            "Time until the slot is lost by max_slot_wal_keep_size, if it keeps falling behind.",
            "slot",
        ),
    ),
    thresholds=(
        FILLED_BY,
        Threshold(
            "slot_lost_in_seconds",
            Text(
                "{target}: slot {subject} will be lost in {value}, {first}: it keeps {kept}, "
                "growing by {speed} an hour"
            ),
            Text(
                "Reconnect the slot's reader, or raise max_slot_wal_keep_size while the WAL volume "
                "has room; once lost, its replica must be rebuilt."
            ),
            "replication",
            # Four hours leave time to repair a replica; in the last hour it must be done.
            warning=4 * 3600.0,
            critical=3600.0,
            above=False,
            raise_after=3,
            clear_margin=0.5,
            headline=Text("{target}: slot {subject} will be lost, its reader falls behind"),
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Slots: pg_replication_slots (wal_status, safe_wal_size); reconnect, or drop the one "
        "nobody owns. 2. Archive: pg_stat_archiver. 3. Temporary files: the heaviest queries, "
        "temp_file_limit. 4. A database: its largest tables. 5. Enlarge the volume."
    ),
)
