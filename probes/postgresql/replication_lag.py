"""How far behind is the replica, told so that it can never be a false zero?

A replica that is cut off has replayed all it received, so "received minus replayed" is 0 while
the primary runs ahead; and on an idle primary the age of the last replayed transaction grows
without any lag. Therefore the receiver's state comes first, and seconds are only told where a
receiver streams: 0 when everything the primary announced is replayed, else an age bounded from
both sides. The primary tells the same story from its side, per standby and per slot, so that a
replica that has vanished is seen as well.
Sources: PostgreSQL manual, pg_stat_wal_receiver, pg_stat_replication, pg_replication_slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from probes.model import Exhibit, Measure, Measurement, Probe, Row, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.replication import (
    replica_measurements,
    slot_measurements,
    standby_measurements,
    streams,
)

_WHO = f"""
select pg_is_in_recovery() as in_recovery, current_user as account,
       {SEES_EVERYBODY} as sees_everybody
"""

# latest_end_lsn is the end of WAL as the sender last announced it, so it also counts what has
# not arrived yet; latest_end_time is when that end last moved.
_REPLICA = """
select clock_timestamp() as now,
       r.pid is not null as has_receiver, r.status, r.sender_host, r.sender_port, r.slot_name,
       r.latest_end_time,
       extract(epoch from clock_timestamp() - r.last_msg_receipt_time)::float8 as silent_seconds,
       pg_last_xact_replay_timestamp() as last_replayed,
       pg_wal_lsn_diff(
         greatest(r.latest_end_lsn, pg_last_wal_receive_lsn()), pg_last_wal_replay_lsn()
       )::float8 as behind_bytes,
       pg_is_wal_replay_paused() as paused,
       extract(epoch from current_setting('recovery_min_apply_delay')::interval)::float8
         as intended_seconds,
       current_setting('primary_conninfo') <> '' as streams,
       pg_last_wal_receive_lsn()::text as received, pg_last_wal_replay_lsn()::text as replayed
from (select 1) as one left join pg_stat_wal_receiver as r on true
"""

# Logical senders and base backups are no standbys.
_STANDBYS = """
select coalesce(nullif(s.application_name, ''), 'walreceiver') as name,
       coalesce(host(s.client_addr), 'socket') as client, s.state, s.sync_state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.sent_lsn)::float8 as sent_bytes,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.write_lsn)::float8 as write_bytes,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.flush_lsn)::float8 as flush_bytes,
       pg_wal_lsn_diff(pg_current_wal_lsn(), s.replay_lsn)::float8 as replay_bytes,
       extract(epoch from s.replay_lag)::float8 as replay_seconds
from pg_stat_replication as s
left join pg_replication_slots as l on l.active_pid = s.pid
where l.slot_type is distinct from 'logical' and s.state <> 'backup'
order by name, client
"""

_SLOTS = """
select slot_name as name, active, restart_lsn is not null as used, {status} as wal_status,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 as retained_bytes,
       {safe}::float8 as safe_bytes
from pg_replication_slots where slot_type = 'physical' and not temporary order by slot_name
"""
_WAL_STATUS_SINCE = 130000


def read(session: Session) -> Iterable[Measurement]:
    """Both sides of replication; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    who = session.rows(_WHO)[0]
    require_sight(who)
    if who["in_recovery"]:
        row = session.rows(_REPLICA)[0]
        name = session.target.name
        caught_up_at = _CAUGHT_UP.get(name)
        if streams(row) and row["behind_bytes"] is not None and row["behind_bytes"] <= 0:
            _CAUGHT_UP[name] = row["now"]
        return replica_measurements(row, name, caught_up_at)
    _CAUGHT_UP.pop(session.target.name, None)
    return (
        *standby_measurements(session.rows(_STANDBYS), session.target.name),
        *slot_measurements(session.rows(_slots_query(session.version))),
    )


_CAUGHT_UP: dict[str, datetime] = {}
"""When each replica was last seen with nothing left to replay, by its own clock.

Without it, the first write after an idle night would count as a night's lag. One entry a target;
each is touched only by that target's thread.
"""


def _slots_query(version: int) -> str:
    known = version >= _WAL_STATUS_SINCE
    return _SLOTS.format(
        status="wal_status" if known else "null", safe="safe_wal_size" if known else "null"
    )


_RECEIVER_COLUMNS = (
    "status", "sender_host", "sender_port", "slot_name", "received", "replayed",
    "behind_bytes", "silent_seconds", "last_replayed", "latest_end_time", "paused",
)  # fmt: skip


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The rows a DBA would have looked at, of whichever side this is."""
    if session.rows(_WHO)[0]["in_recovery"]:
        yield _table(
            Text("Penerima WAL dan pemutaran", "WAL receiver and replay"),
            session.rows(_REPLICA),
            _RECEIVER_COLUMNS,
        )
        return
    yield _table(Text("Replika menurut primary", "Standbys as the primary sees them"),
                 session.rows(_STANDBYS))  # fmt: skip
    yield _table(Text("Slot replikasi fisik", "Physical replication slots"),
                 session.rows(_slots_query(session.version)))  # fmt: skip


def _table(title: Text, rows: list[Row], columns: tuple[str, ...] = ()) -> Exhibit:
    shown = columns or (tuple(rows[0]) if rows else ())
    cells = tuple(
        tuple("-" if row[column] is None else str(row[column]) for column in shown) for row in rows
    )
    return Exhibit(title, shown, cells, note="" if rows else "none")


PROBE = Probe(
    name="replication_lag",
    engine="postgresql",
    question=Text(
        "Seberapa jauh replika tertinggal, dan masih tersambungkah ia?",
        "How far behind is the replica, and is it still connected?",
    ),
    measures=(
        Measure("receiver_up", "", "1 when this replica's WAL receiver streams."),
        Measure(
            "receiver_silent_seconds", "seconds", "Since the primary last said anything to it."
        ),
        Measure("replay_paused", "", "1 when somebody has paused replay on this replica."),
        Measure(
            "replication_lag_seconds",
            "seconds",
            "Age of the oldest WAL not yet replayed, beyond recovery_min_apply_delay.",
            "replica",
        ),
        Measure("replication_lag_bytes", "bytes", "WAL written but not replayed.", "replica"),
        Measure("replication_sent_lag_bytes", "bytes", "WAL written but not sent.", "replica"),
        Measure(
            "replication_write_lag_bytes", "bytes", "WAL the standby has not written.", "replica"
        ),
        Measure(
            "replication_flush_lag_bytes", "bytes", "WAL the standby has not flushed.", "replica"
        ),
        Measure("standby_streaming", "", "1 when the primary streams to this standby.", "replica"),
        Measure("slot_active", "", "1 when somebody reads from this physical slot.", "slot"),
        Measure("slot_retained_bytes", "bytes", "WAL kept for this slot.", "slot"),
        Measure(
            "slot_safe_wal_bytes",
            "bytes",
            "WAL that may still be written before it is lost.",
            "slot",
        ),
        Measure("slot_wal_status", "", "0 reserved, 1 extended, 2 unreserved, 3 lost.", "slot"),
    ),
    thresholds=(
        Threshold(
            "receiver_up",
            Text(
                "{target} tidak menerima WAL dari primary: penerima {state}, terakhir {received}",
                "{target} receives no WAL from its primary: receiver {state}, last {received}",
            ),
            Text(
                "Baca log replika (could not connect, has already been removed), uji sambungan ke "
                "primary_conninfo, dan periksa slot serta pg_hba.conf di primary. Bila WAL yang "
                "diminta sudah dihapus, replika harus dibangun ulang.",
                "Read the replica's log (could not connect, has already been removed), test the "
                "connection in primary_conninfo, and check the slot and pg_hba.conf on the "
                "primary. If the requested WAL was removed, the replica must be rebuilt.",
            ),
            "replication",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "receiver_silent_seconds",
            Text(
                "{target} tidak mendengar apa pun dari primary selama {value}",
                "{target} has heard nothing from its primary for {value}",
            ),
            Text(
                "Primary membeku atau jaringan menelan paket: sampai wal_receiver_timeout "
                "penerima masih tampak tersambung, dan lag 0 tidak dapat dipercaya.",
                "The primary is frozen or the network swallows packets: until "
                "wal_receiver_timeout the receiver still looks connected, and a lag of 0 is not "
                "to be trusted.",
            ),
            "replication",
            # An idle primary speaks at least every 30 s with default timeouts.
            warning=45.0,
        ),
        Threshold(
            "replay_paused",
            Text(
                "Penerapan WAL di {target} dijeda oleh seseorang",
                "Replay on {target} has been paused by somebody",
            ),
            Text(
                "Tanyakan siapa yang menjalankan pg_wal_replay_pause() (pencadangan?); untuk "
                "melanjutkan: SELECT pg_wal_replay_resume();",
                "Ask who ran pg_wal_replay_pause() (a backup?); to go on: "
                "SELECT pg_wal_replay_resume();",
            ),
            "replication",
            critical=1.0,
            raise_after=2,
        ),
        Threshold(
            "replication_lag_seconds",
            Text(
                "Replika {who} tertinggal {value} (batas {limit}): {cause}",
                "Replica {who} is {value} behind (limit {limit}): {cause}",
            ),
            Text(
                "Cari kueri panjang di replika yang menahan penerapan (pg_stat_activity), beban "
                "I/O, dan perubahan massal di primary.",
                "Look for a long query on the replica that holds replay back (pg_stat_activity), "
                "for I/O load, and for a bulk change on the primary.",
            ),
            "replication",
            # 5 s pages on every checkpoint and 1 h is too late to keep a report honest (the two
            # ends of common practice); half a minute is felt by readers, five are an outage.
            warning=30.0,
            critical=300.0,
            raise_after=2,
            clear_margin=0.5,
        ),
        Threshold(
            "replication_lag_bytes",
            Text(
                "Replika {who} tertinggal {value} WAL (batas {limit})",
                "Replica {who} is {value} of WAL behind (limit {limit})",
            ),
            Text(
                "Bandingkan laju tulis primary dengan jaringan dan I/O replika.",
                "Compare the primary's write rate with the network and the replica's I/O.",
            ),
            "replication",
            # Bytes alone do not tell how long: seconds decide, this only speaks up.
            warning=256e6,
            raise_after=3,
            clear_margin=0.5,
        ),
        Threshold(
            "standby_streaming",
            Text(
                "{target}: replika {subject} tersambung tetapi belum mengalir ({state})",
                "{target}: replica {subject} is connected but not streaming ({state})",
            ),
            Text(
                "Keadaan catchup berarti replika sedang mengejar; bila menetap, jaringan atau "
                "disk replika tidak mengimbangi.",
                "In state catchup the replica is catching up; if that lasts, its network or disk "
                "cannot keep pace.",
            ),
            "replication",
            warning=0.0,
            above=False,
            raise_after=4,
        ),
        Threshold(
            "slot_active",
            Text(
                "{target}: tidak ada replika pada slot {subject}; WAL tertahan {retained}",
                "{target}: no replica reads slot {subject}; {retained} of WAL is kept for it",
            ),
            Text(
                "Replika pemilik slot mati atau terputus: hidupkan atau sambungkan. Bila replika "
                "itu sudah tidak ada: SELECT pg_drop_replication_slot('{subject}');",
                "The replica that owns the slot is down or cut off: start or reconnect it. If "
                "that replica is gone for good: SELECT pg_drop_replication_slot('{subject}');",
            ),
            "replication",
            # The replica's own target opens the incident; where there is none, tune this to
            # critical.
            warning=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "slot_wal_status",
            Text(
                "{target}: slot {subject} berstatus {status}; WAL tertahan {retained}",
                "{target}: slot {subject} is {status}; {retained} of WAL is kept for it",
            ),
            Text(
                "unreserved: sambungkan replika sebelum checkpoint berikut atau naikkan "
                "max_slot_wal_keep_size; lost: replika harus dibangun ulang (pg_basebackup).",
                "unreserved: reconnect the replica before the next checkpoint or raise "
                "max_slot_wal_keep_size; lost: the replica must be rebuilt (pg_basebackup).",
            ),
            "replication",
            warning=2.0,
            critical=3.0,
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Di replika: pg_stat_wal_receiver dan log. 2. Di primary: pg_stat_replication dan "
        "pg_replication_slots. 3. Jaringan antara keduanya. 4. Kueri panjang di replika. "
        "5. Ruang volume WAL di kedua sisi.",
        "1. On the replica: pg_stat_wal_receiver and the log. 2. On the primary: "
        "pg_stat_replication and pg_replication_slots. 3. The network between them. 4. Long "
        "queries on the replica. 5. Room on the WAL volumes of both sides.",
    ),
)
