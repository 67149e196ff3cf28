"""Replication slots that keep WAL, are about to be lost, or keep old rows.

``wal_status`` is read first: once a slot is lost its byte columns are empty, and must not read as
0. An inactive slot means a missing consumer, except where none is expected: on a standby, and for
slots synchronised from a primary. Columns a version lacks are empty.
Source: PostgreSQL manual, pg_replication_slots (wal_status 13, invalidation_reason, inactive_since,
failover and synced 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from probes.i18n.formats import duration
from probes.local.growth import room_on
from probes.model import (
    NOTHING_SAID,
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
from probes.words.tables import exhibit
from probes.words.units import written

_INACTIVE = MemoryKey[dict[str, float]]("since when each slot is inactive")

WAL_STATUS = {"reserved": 0.0, "extended": 1.0, "unreserved": 2.0, "lost": 3.0}

_SLOTS = """
select s.slot_name::text as name, s.slot_type as type, s.database::text as database, s.active,
       s.restart_lsn is not null as used, j.j->>'wal_status' as wal_status,
       pg_wal_lsn_diff(w.at, s.restart_lsn)::float8 as retained_bytes,
       (j.j->>'safe_wal_size')::float8 as safe_bytes,
       pg_wal_lsn_diff(w.at, s.confirmed_flush_lsn)::float8 as unconfirmed_bytes,
       greatest(age(s.xmin), age(s.catalog_xmin))::float8 as held_xids,
       j.j->>'invalidation_reason' as invalidation_reason,
       coalesce((j.j->>'conflicting')::bool, false) as conflicting,
       coalesce((j.j->>'synced')::bool, false) as synced,
       coalesce((j.j->>'failover')::bool, false) as failover,
       extract(epoch from (j.j->>'inactive_since')::timestamptz)::float8 as inactive_since,
       pg_is_in_recovery() as on_standby, extract(epoch from clock_timestamp())::float8 as now
from pg_replication_slots s
cross join lateral (select to_jsonb(s) as j) j
cross join (select case when pg_is_in_recovery()
                   then coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                   else pg_current_wal_lsn() end as at) w
where not s.temporary order by s.slot_name
"""


def read(session: Session) -> Iterable[Measurement]:
    """Every persistent slot; needs no right."""
    found = tuple(slot_measurements(session.rows(_SLOTS), session.memory))
    yield from found
    free = _free_for_wal(session)
    if free is not None:
        yield from shares(found, free)


def _free_for_wal(session: Session) -> float | None:
    """Free bytes of WAL's volume; None if it is on another host or not readable."""
    if not session.target.host:
        return None
    try:
        room = room_on(session, ("wal",)).get("wal")
    except ProbeError:  # the path needs a right that slots do not; volumes reports it
        return None
    return None if room is None else room.free_bytes


def shares(found: Iterable[Measurement], free_bytes: float) -> Iterable[Measurement]:
    """Of the space WAL could use, the share each slot keeps already."""
    for each in found:
        if each.measure == "slot_retained_bytes" and each.value + free_bytes > 0:
            ratio = each.value / (each.value + free_bytes)
            detail = {**each.detail, "free": written(free_bytes, "bytes")}
            yield Measurement("slot_share_of_room_ratio", ratio, each.subject, detail)


def slot_measurements(rows: Iterable[Row], memory: Memory) -> Iterable[Measurement]:
    """Measurements of the slots; a slot that was never used keeps nothing and has no missing
    consumer.
    """
    inactive = memory.of(_INACTIVE, {})
    seen = set()
    for row in rows:
        name, status = str(row["name"]), row["wal_status"]
        seen.add(name)
        reason = row["invalidation_reason"] or ("conflicting" if row["conflicting"] else "")
        if not row["used"] and status != "lost" and not reason:
            continue
        seconds = 0.0
        if row["active"]:
            inactive.pop(name, None)
        else:
            since = row["inactive_since"] or inactive.setdefault(name, row["now"])
            seconds = max(0.0, row["now"] - since)
        yield from _of_slot(row, name, seconds, reason)
    for gone in inactive.keys() - seen:
        del inactive[gone]


def _of_slot(row: Row, name: str, inactive_seconds: float, reason: str) -> Iterable[Measurement]:
    status, retained = row["wal_status"], row["retained_bytes"]
    detail: dict[str, object] = {
        "retained": "?" if retained is None else written(max(0.0, retained), "bytes"),
        "kept": NOTHING_SAID
        if retained is None  # a lost slot holds nothing back
        else Text("; {bytes} of WAL is kept for it", bytes=written(max(0.0, retained), "bytes")),
        "safe": "" if row["safe_bytes"] is None else written(max(0.0, row["safe_bytes"]), "bytes"),
        "status": status or "?",
        "reason": reason or "wal_removed",
        "kind": Text("subscriber") if row["type"] == "logical"
        else Text("replica"),
        "since": duration(inactive_seconds),
    }  # fmt: skip
    if status in WAL_STATUS:
        yield Measurement("slot_wal_status", WAL_STATUS[status], name, detail)
    invalid = bool(reason) or status == "lost"
    yield Measurement("slot_invalidated", float(invalid), name, detail)
    if not (row["on_standby"] or row["synced"]):
        yield Measurement("slot_active", float(bool(row["active"])), name, detail)
        yield Measurement("slot_inactive_seconds", inactive_seconds, name, detail)
    if invalid:  # its restart_lsn and xmin stay in the view but hold nothing back
        return
    if row["held_xids"] is not None:
        yield Measurement("slot_held_xids", row["held_xids"], name, detail)
    if retained is not None:
        yield Measurement("slot_retained_bytes", max(0.0, retained), name, detail)
    if row["unconfirmed_bytes"] is not None:
        yield Measurement(
            "slot_unconfirmed_bytes", max(0.0, row["unconfirmed_bytes"]), name, detail
        )
    if row["safe_bytes"] is not None and retained is not None:
        yield Measurement("slot_safe_wal_bytes", row["safe_bytes"], name, detail)
        room = max(0.0, retained) + max(0.0, row["safe_bytes"])
        if room > 0:
            yield Measurement("slot_wal_used_ratio", max(0.0, retained) / room, name, detail)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The slots as a DBA would list them, and the settings that limit them."""
    yield listed(session.rows(_SLOTS))
    yield exhibit(
        Text("Settings of slots"),
        session.rows(
            "select name, setting, unit from pg_settings where name in ('max_slot_wal_keep_size', "
            "'wal_keep_size', 'max_wal_size', 'idle_replication_slot_timeout') order by name"
        ),
    )


def listed(rows: Sequence[Row]) -> Exhibit:
    """The slots as a table, with the time since when one is inactive written as a time."""
    written_out = []
    for row in rows:
        since = row["inactive_since"]
        at = None if since is None else datetime.fromtimestamp(since, UTC)
        written_out.append({**row, "inactive_since": at})
    return exhibit(Text("Replication slots"), written_out)


PROBE = Probe(
    name="slots",
    engine="postgresql",
    question=Text("Which slot keeps WAL, or is about to be lost?"),
    measures=(
        Measure("slot_wal_status", "", "0 reserved, 1 extended, 2 unreserved, 3 lost.", "slot"),
        Measure("slot_invalidated", "", "1 when the slot can never be used again.", "slot"),
        Measure("slot_active", "", "1 when a client reads from this slot.", "slot"),
        Measure(
            "slot_inactive_seconds", "seconds", "Time since a client last read from it.", "slot"
        ),
        Measure("slot_retained_bytes", "bytes", "WAL kept for this slot.", "slot"),
        Measure(
            "slot_safe_wal_bytes", "bytes", "WAL that may be written before it is lost.", "slot"
        ),
        Measure(
            "slot_wal_used_ratio", "ratio", "WAL kept as a share of max_slot_wal_keep_size.", "slot"
        ),
        Measure(
            "slot_share_of_room_ratio",
            "ratio",
            "WAL kept as a share of that WAL and the free space of its volume.",
            "slot",
        ),
        Measure("slot_unconfirmed_bytes", "bytes", "WAL the subscriber has not confirmed.", "slot"),
        Measure("slot_held_xids", "", "Transactions whose dead rows it keeps.", "slot"),
    ),
    thresholds=(
        Threshold(
            "slot_wal_status",
            Text("{target}: slot {subject} is {status}{kept}"),
            Text(
                "unreserved: reconnect the {kind} before the next checkpoint or raise "
                "max_slot_wal_keep_size; lost: the {kind} must be rebuilt."
            ),
            "replication",
            warning=2.0,
            critical=3.0,
            headline=Text("{target}: slot {subject} is {status}"),
        ),
        Threshold(
            "slot_invalidated",
            Text("{target}: slot {subject} is invalidated ({reason}); its {kind} must be rebuilt"),
            Text(
                "Rebuild its {kind} (pg_basebackup, or a new subscription), then drop the old "
                "slot: `SELECT pg_drop_replication_slot('{subject}');`"
            ),
            "replication",
            critical=1.0,
        ),
        Threshold(
            "slot_wal_used_ratio",
            Text(
                "{target}: slot {subject} keeps {retained} of WAL, {value} of what is allowed; "
                "lost after {safe} more"
            ),
            Text(
                "Reconnect the {kind}, or raise max_slot_wal_keep_size while the WAL volume has "
                "room."
            ),
            "replication",
            # Past this the standby is a few checkpoints from a rebuild; unreserved and lost,
            # which open incidents, follow by themselves.
            warning=0.7,
            clear_margin=0.1,
            headline=Text("{target}: slot {subject} will soon lose its WAL"),
        ),
        Threshold(
            "slot_active",
            Text("{target}: no {kind} reads slot {subject}, for {since}{kept}"),
            Text(
                "The slot's owner is down or cut off: start or reconnect it. If it is gone for "
                "good: `SELECT pg_drop_replication_slot('{subject}');`"
            ),
            "replication",
            # The replica's own target opens the incident; where there is none, tune this to
            # critical.
            warning=0.0,
            above=False,
            raise_after=2,
            headline=Text("{target}: no {kind} reads slot {subject}"),
        ),
        Threshold(
            "slot_retained_bytes",
            Text("{target}: slot {subject} keeps {value} of WAL (status {status})"),
            Text(
                "Without max_slot_wal_keep_size a slot fills the WAL volume: reconnect the {kind} "
                "or drop the slot."
            ),
            "replication",
            # A busy standby that catches up keeps a few gigabytes; when the volume fills, the
            # volume opens the incident and this names the slot.
            warning=20e9,
            clear_margin=0.2,
            headline=Text("{target}: slot {subject} keeps much WAL"),
        ),
        Threshold(
            "slot_share_of_room_ratio",
            Text(
                "{target}: slot {subject} keeps {retained} of WAL, with {free} left on its volume"
            ),
            Text("Reconnect the {kind} or drop the slot before the WAL volume is full."),
            "replication",
            # Whatever the size of the volume: one slot uses half of what was free.
            warning=0.5,
            clear_margin=0.2,
            headline=Text("{target}: slot {subject} uses up the room of the WAL volume"),
        ),
        Threshold(
            "slot_unconfirmed_bytes",
            Text("{target}: the subscriber of slot {subject} has not confirmed {value} of WAL"),
            Text(
                "Look at the apply on the subscriber: its worker, errors, locks, and a large "
                "transaction here (logical_replication, pg_stat_replication)."
            ),
            "replication",
            # Confirmed at each commit, so a bulk load is a gigabyte for minutes; more than five is
            # a subscriber that does not keep pace.
            warning=1e9,
            raise_after=5,
            clear_margin=0.5,
            headline=Text("{target}: the subscriber of slot {subject} is behind"),
        ),
        Threshold(
            "slot_held_xids",
            Text(
                "{target}: slot {subject} keeps the dead rows of {value} "
                "{value:transaction|transactions}"
            ),
            Text(
                "VACUUM cannot work: bring the slot's reader back or drop the slot; check "
                "hot_standby_feedback on the replica."
            ),
            "vacuum",
            warning=50e6,
            headline=Text("{target}: slot {subject} keeps dead rows"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    runbook=Text(
        "1. wal_status and safe_wal_size (evidence). 2. Where is the slot's reader, does it run? "
        "3. Room on the WAL volume. 4. Decide: reconnect, raise the bound, or drop the slot and "
        "rebuild."
    ),
)
