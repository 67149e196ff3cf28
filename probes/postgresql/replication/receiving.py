"""What a replica has received and replayed, read once a round, and when it last had no lag.

Sources: PostgreSQL manual, pg_stat_wal_receiver, "Recovery Information Functions".
"""

from __future__ import annotations

from datetime import datetime

from probes.model import Memory, MemoryKey, Row, Session
from probes.postgresql.replication.streams import lag_seconds, streams

SILENT_SECONDS = 45.0
"""With default timeouts an idle primary sends at least every 30 s; after this it counts as silent.
"""

CURRENT_SECONDS = 30.0
"""Less lag than this needs no warning."""

_CAUGHT_UP = MemoryKey[datetime]("when the replica last had no lag")
_ANSWER = MemoryKey[Row]("the replica's own view")

# Without a receiver the control file knows on which timeline replay stands.
# latest_end_lsn is the end of WAL as the sender last announced it, so it also counts what has
# not arrived yet; latest_end_time is when that end last moved.
_ROW = """
select clock_timestamp() as now,
       r.pid is not null as has_receiver, r.status, r.sender_host, r.sender_port, r.slot_name,
       r.latest_end_time,
       case when r.pid is not null then r.received_tli else greatest(
         (select timeline_id from pg_control_checkpoint()),
         (select min_recovery_end_timeline from pg_control_recovery())
       ) end as timeline,
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


def row(session: Session) -> Row:
    """The replica's own view; the receiver's columns are empty if none runs."""
    found = session.shared.round.get(_ANSWER)
    if found is None:
        found = session.shared.round.set(_ANSWER, session.rows(_ROW)[0])
    return found


def caught_up_at(memory: Memory, found: Row) -> datetime | None:
    """When the replica last had no lag before this row, which is recorded for the next.

    Without this the first write after an idle night would count as a night's lag.
    """
    before = memory.get(_CAUGHT_UP)
    if streams(found) and found["behind_bytes"] is not None and found["behind_bytes"] <= 0:
        memory.set(_CAUGHT_UP, found["now"])
    return before


def forget(memory: Memory) -> None:
    """Drop the record: the server is a primary now."""
    memory.drop(_CAUGHT_UP)


def is_current(found: Row, caught_up: datetime | None, age_seconds: float) -> bool:
    """Whether lag does not explain a heartbeat row of that age: this replica receives from its
    sender and has replayed what it has sent, except for less than half the age and half a minute.

    The sender may itself be a replica that is cut off; that is not visible here.
    """
    silent = found["silent_seconds"]
    if not streams(found) or silent is None or silent >= SILENT_SECONDS:
        return False
    if found["behind_bytes"] is None:
        return False
    lag = lag_seconds(found, caught_up)
    return lag is not None and (lag == 0 or lag < min(CURRENT_SECONDS, age_seconds / 2))
