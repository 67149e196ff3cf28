"""Replication lag of a replica, and of each standby on its primary.

A replica that is cut off has replayed all it received, so "received minus replayed" is 0 while the
primary continues; and on an idle primary the age of the last replayed transaction grows without any
lag. The receiver's state is therefore checked first, and seconds are reported only if a receiver
streams: 0 when everything the primary announced is replayed, else an age with an upper and a lower
bound. The primary reports the same per standby.
Sources: PostgreSQL manual, pg_stat_wal_receiver, pg_stat_replication, recovery_min_apply_delay.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import (
    Exhibit,
    KeptKey,
    Measure,
    Measurement,
    Memory,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.replication import pause, receiving
from probes.postgresql.replication.streams import (
    expected,
    replica_measurements,
    shared_names,
    standby_measurements,
)
from probes.words.tables import exhibit

_SHARED_NAMES = KeptKey[list[str]]("shared_names", list)
"""Names that several standbys were ever seen with at once."""

_WHO = f"""
select pg_is_in_recovery() as in_recovery, current_user as account,
       {SEES_EVERYBODY} as sees_everybody
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


# A checkpoint's timeline may be the one before a promotion; a file's name is the present one.
_TIMELINE = """
select ('x' || substring(pg_walfile_name(pg_current_wal_lsn()) from 1 for 8))::bit(32)::int
  as timeline
"""

DELAYED_LABEL = "expects.delayed_standbys"
"""Target label: application names of standbys that lag on purpose, separated by commas.

The primary cannot see a standby's recovery_min_apply_delay; the standby's own target subtracts it.
"""


def read(session: Session) -> Iterable[Measurement]:
    """Both sides of replication; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    who = session.rows(_WHO)[0]
    require_sight(who)
    if who["in_recovery"]:
        row = receiving.row(session)
        return replica_measurements(
            row,
            session.target.name,
            receiving.caught_up_at(session.memory, row),
            pause.why(session, row),
        )
    receiving.forget(session.memory)
    delayed = frozenset(expected(session.target.labels.get(DELAYED_LABEL, "")))
    timeline = session.rows(_TIMELINE)[0]["timeline"]
    rows = session.rows(_STANDBYS)
    return (
        Measurement("timeline", float(timeline)),
        *standby_measurements(rows, session.target.name, delayed, _shared(rows, session.memory)),
    )


def _shared(rows: list[Row], memory: Memory) -> frozenset[str]:
    """Names that were ever seen twice; kept over a restart of the agent."""
    shared = shared_names(rows) | set(memory.get(_SHARED_NAMES) or ())
    if shared:
        memory.set(_SHARED_NAMES, sorted(shared))
    return frozenset(shared)


_RECEIVER_COLUMNS = (
    "status", "sender_host", "sender_port", "slot_name", "received", "replayed",
    "behind_bytes", "silent_seconds", "last_replayed", "latest_end_time", "paused",
)  # fmt: skip


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The rows a DBA would have queried, for this server's side."""
    if session.rows(_WHO)[0]["in_recovery"]:
        yield exhibit(
            Text("WAL receiver and replay"),
            [receiving.row(session)],
            _RECEIVER_COLUMNS,
        )
        return
    yield exhibit(
        Text("Standbys as the primary sees them"),
        session.rows(_STANDBYS),
    )


PROBE = Probe(
    name="replication_lag",
    engine="postgresql",
    question=Text("How far behind is the replica, and is it still connected?"),
    measures=(
        Measure("receiver_up", "", "1 when this replica's WAL receiver streams."),
        Measure(
            "receiver_silent_seconds", "seconds", "Time since the primary last sent anything to it."
        ),
        Measure("replay_paused", "", "1 when replay is paused on this replica."),
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
        Measure(
            "replication_delayed_bytes", "bytes", "WAL not replayed because of an intended delay."
        ),
        Measure(
            "timeline",
            "",
            "The timeline that is written, received or (without a receiver) replayed.",
        ),
        Measure("standby_streaming", "", "1 when the primary streams to this standby.", "replica"),
    ),
    thresholds=(
        Threshold(
            "receiver_up",
            Text("{target} receives no WAL from its primary: {state} (last {received})"),
            Text(
                "Read the replica's log (could not connect, has already been removed), test the "
                "connection in primary_conninfo, and check the slot and pg_hba.conf on the "
                "primary. If the requested WAL was removed, the replica must be rebuilt."
            ),
            "replication",
            critical=0.0,
            above=False,
            raise_after=2,
            headline=Text("{target} receives no WAL from its primary"),
        ),
        Threshold(
            "receiver_silent_seconds",
            Text("{target} has heard nothing from its primary for {value}"),
            Text(
                "The primary is frozen or the network swallows packets: until "
                "wal_receiver_timeout the receiver still looks connected, and a lag of 0 is not "
                "to be trusted."
            ),
            "replication",
            warning=receiving.SILENT_SECONDS,
            headline=Text("{target} hears nothing from its primary"),
        ),
        Threshold(
            "replay_paused",
            Text("Replay on {target} is paused: {reason}"),
            Text("{advice}"),
            "replication",
            # Nightly dumps pause replay; when it lasts, the lag opens the incident and says why.
            warning=1.0,
            raise_after=2,
        ),
        Threshold(
            "replication_lag_seconds",
            Text("Replica {who} is {value} behind (limit {limit}): {cause}"),
            Text(
                "Look for a long query on the replica that holds replay back (pg_stat_activity), "
                "for I/O load, and for a bulk change on the primary."
            ),
            "replication",
            # 5 s alarms at every checkpoint and 1 h is too late for an accurate report (the two
            # ends of common practice); users notice half a minute, five minutes are an outage.
            warning=30.0,
            critical=300.0,
            raise_after=2,
            clear_margin=0.5,
            unknown_without="receiver_up",
            headline=Text("Replica {who} is behind"),
        ),
        Threshold(
            "replication_lag_bytes",
            Text("Replica {who} is {value} of WAL behind (limit {limit})"),
            Text("Compare the primary's write rate with the network and the replica's I/O."),
            "replication",
            # Bytes alone do not show how long: seconds decide, this only warns.
            warning=256e6,
            raise_after=3,
            clear_margin=0.5,
            unknown_without="receiver_up",
            headline=Text("Replica {who} is far behind in WAL"),
        ),
        Threshold(
            "standby_streaming",
            Text("{target}: replica {subject} is connected but not streaming ({state})"),
            Text(
                "In state catchup the replica is catching up; if that lasts, its network or disk "
                "cannot keep pace."
            ),
            "replication",
            warning=0.0,
            above=False,
            raise_after=4,
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. On the replica: pg_stat_wal_receiver and the log. 2. On the primary: "
        "pg_stat_replication and pg_replication_slots. 3. The network between them. 4. Long "
        "queries on the replica. 5. Room on the WAL volumes of both sides."
    ),
)
