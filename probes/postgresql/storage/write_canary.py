"""Test commit on a primary, and age of the newest heartbeat on a replica; opt-in.

``sigap grants postgresql --canary`` prints the table's definition: one row, written in a separate
session. A hung or full disk, a file system gone read-only and a missing synchronous standby look
healthy to sessions that only read; here the commit fails or does not end. The same row, read on a
replica, is a heartbeat that does not depend on WAL positions. A commit that hangs is never started
a second time: its session is looked up and its age reported until it is gone.
Source: PostgreSQL manual, "Synchronous Replication".
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from probes.model import (
    CONNECTION_KINDS,
    FailureKind,
    Measure,
    Measurement,
    MemoryKey,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.replication import receiving
from probes.wire import deadline
from probes.words import failure_text

_SANG = MemoryKey[bool]("the table was there")
_OUR_WRITE = MemoryKey[tuple[int, str]]("pid and start of the session that writes")

_SHARE_OF_THE_TIME = 0.6

_STATE = """
select c.oid is not null as there, pg_is_in_recovery() as replica, current_user as account,
       coalesce(has_schema_privilege(n.oid, 'USAGE')
         and has_table_privilege(c.oid, 'SELECT')
         and (pg_is_in_recovery() or has_table_privilege(c.oid, 'UPDATE')), false) as allowed,
       exists (select from pg_locks l where l.mode = 'AccessExclusiveLock' and (l.relation = c.oid
         or l.relation in (select indexrelid from pg_index where indrelid = c.oid))) as locked
from (select 1) one
left join pg_namespace n on n.nspname = 'sigap'
left join pg_class c on c.relnamespace = n.oid and c.relname = 'canary'
"""

_HEARTBEAT = """
select extract(epoch from clock_timestamp() - at
         - current_setting('recovery_min_apply_delay')::interval)::float8 as age
from sigap.canary where id = 1
"""

_WRITE = "update sigap.canary set at = clock_timestamp() where id = 1"

_SELF = """
select pid, backend_start::text as since from pg_stat_get_activity(pg_backend_pid())
"""

_PENDING = """
select wait_event_type as type, wait_event as event,
       extract(epoch from clock_timestamp() - query_start)::float8 as seconds
from pg_stat_get_activity(%s) where backend_start::text = %s and state = 'active'
"""

_STUCK: dict[str, Text] = {
    "SyncRep": Text("it waits for an absent synchronous standby"),
    "Lock": Text("it waits for another session's lock"),
    "IO": Text("storage does not answer ({event})"),
}
_FINE = Text("it works again")


def read(session: Session) -> Iterable[Measurement]:
    """Nothing without the table; raises ``ProbeError(BLIND)`` if it may not be used."""
    state = session.rows(_STATE)[0]
    if not state["there"]:
        if session.memory.get(_SANG):
            raise _gone(session)
        return
    if not state["allowed"]:
        raise _forbidden(state)
    session.memory.set(_SANG, True)
    if state["replica"]:
        for row in session.rows(_HEARTBEAT) if not state["locked"] else ():
            yield from _heartbeat(session, max(0.0, row["age"]))
        return
    receiving.forget(session.memory)
    pending = _pending(session)
    if pending is not None:
        yield from _hangs(pending, pending["seconds"])
        return
    yield from _write(session)


def _heartbeat(session: Session, age: float) -> Iterable[Measurement]:
    """Why a row is old: writes do not arrive here, or nobody writes it."""
    found = receiving.row(session)
    current = receiving.is_current(found, receiving.caught_up_at(session.memory, found), age)
    detail = {"sender": f"{found['sender_host'] or '?'}:{found['sender_port'] or '?'}"}
    yield Measurement("heartbeat_age_seconds", age)
    yield Measurement("heartbeat_late_seconds", 0.0 if current else age)
    yield Measurement("heartbeat_unwritten_seconds", age if current else 0.0, detail=detail)


def _write(session: Session) -> Iterable[Measurement]:
    started = time.perf_counter()
    try:
        with (
            deadline.within(deadline.remaining() * _SHARE_OF_THE_TIME),
            session.fresh() as own,
        ):
            myself = own.rows(_SELF)[0]
            own.rows("set default_transaction_read_only = off")
            session.memory.set(_OUR_WRITE, (myself["pid"], myself["since"]))
            started = time.perf_counter()
            own.rows(_WRITE)
            seconds = time.perf_counter() - started
    except ProbeError as error:
        yield from _failed(session, error, time.perf_counter() - started)
        return
    session.memory.drop(_OUR_WRITE)
    yield Measurement("canary_ok", 1.0, detail={"cause": _FINE})
    yield Measurement("canary_commit_seconds", seconds, detail={"cause": _FINE})


def _failed(session: Session, error: ProbeError, seconds: float) -> Iterable[Measurement]:
    kind = error.failure.kind
    if session.memory.get(_OUR_WRITE) is None:  # it did not even log in; availability reports that
        hint = error.failure.hint
        raise ProbeError(
            FailureKind.BLIND,
            Text("no session: {why}", why=failure_text.words(error.failure)),
            hint,
        ) from error
    if kind is FailureKind.TIMEOUT:
        yield from _hangs(_pending(session), seconds)
        return
    session.memory.drop(_OUR_WRITE)
    cause = failure_text.words(error.failure)
    if kind in CONNECTION_KINDS:
        cause = Text("the session was lost: {why}", why=cause)
    yield Measurement("canary_ok", 0.0, detail={"cause": cause})


def _hangs(pending: Row | None, seconds: float) -> Iterable[Measurement]:
    cause = Text("the commit does not end")
    if pending is not None:
        event = str(pending["event"])
        known = _STUCK.get(event) or _STUCK.get(str(pending["type"]))
        cause = known.format(event=event) if known else cause
    yield Measurement("canary_ok", 0.0, detail={"cause": cause})
    yield Measurement("canary_commit_seconds", max(0.0, seconds), detail={"cause": cause})


def _pending(session: Session) -> Row | None:
    """Our own write that still hangs in the server, if any."""
    write = session.memory.get(_OUR_WRITE)
    if write is None:
        return None
    row = next(iter(session.rows(_PENDING, write)), None)
    if row is None:
        session.memory.drop(_OUR_WRITE)
    return row


def _gone(session: Session) -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        Text("the table sigap.canary is gone"),
        Text(
            "Make it again with `sigap grants postgresql --canary`, or disable the probe "
            "write_canary for this target."
        ),
    )


def _forbidden(state: Row) -> ProbeError:
    user = state["account"]
    lines = (
        f"GRANT USAGE ON SCHEMA sigap TO {user}; GRANT SELECT, UPDATE ON sigap.canary TO {user};"
    )
    return ProbeError(
        FailureKind.BLIND,
        Text("account {user} may not write sigap.canary", user=user),
        Text("Run: {lines}", lines=lines),
    )


PROBE = Probe(
    name="write_canary",
    engine="postgresql",
    question=Text("Does a commit end?"),
    measures=(
        Measure("canary_ok", "", "1 when a row could be written and committed."),
        Measure("canary_commit_seconds", "seconds", "Time to write and commit one row."),
        Measure("heartbeat_age_seconds", "seconds", "Age of the canary's row on this replica."),
        Measure(
            "heartbeat_late_seconds",
            "seconds",
            "The same age if this replica is behind or receives nothing; else 0.",
        ),
        Measure(
            "heartbeat_unwritten_seconds",
            "seconds",
            "The same age if this replica is current, so nobody writes the row; else 0.",
        ),
    ),
    thresholds=(
        Threshold(
            "canary_ok",
            Text("{target} cannot write: {cause}"),
            Text(
                "Applications meet the same at every save. Check the synchronous standbys, room "
                "and state of the data and WAL volumes, and the server log."
            ),
            "availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "canary_commit_seconds",
            Text("{target}: one commit takes {value} (limit {limit})"),
            Text(
                "fsync latency or a slow synchronous standby: see iowait and pg_stat_replication "
                "(flush_lag)."
            ),
            "performance",
            # A commit takes milliseconds; users notice a whole second.
            warning=1.0,
            raise_after=3,
            headline=Text("{target}: commits are slow"),
        ),
        Threshold(
            "heartbeat_late_seconds",
            Text("{target}: the primary's heartbeat is {value} old: data here is stale"),
            Text(
                "The replica is behind or cut off: see replication_lag here and the state of the "
                "primary."
            ),
            "replication",
            # It is written every half minute; clocks may differ by a little.
            warning=120.0,
            critical=600.0,
            raise_after=2,
            headline=Text("{target}: data is stale, the primary's heartbeat has not come for long"),
        ),
        Threshold(
            "heartbeat_unwritten_seconds",
            Text(
                "{target}: nobody has written the heartbeat for {value}; this replica has applied "
                "all that {sender} has"
            ),
            Text(
                "Start the Sigap that watches the primary again, or see write_canary there if it "
                "runs. If {sender} is itself a replica, see whether that one is cut off."
            ),
            "replication",
            # Data here is current and only the heartbeat is missing: a warning is enough.
            warning=120.0,
            raise_after=2,
            headline=Text("{target}: the heartbeat on the primary is no longer written"),
        ),
    ),
    read=read,
    when_unused=Text("no test write is judged here; to install it: sigap grants --canary"),
    every=30.0,
    runbook=Text(
        "1. What the write waits for (title). 2. Synchronous standbys. 3. Data and WAL volumes: "
        "full, read only, stuck. 4. The server log."
    ),
)
