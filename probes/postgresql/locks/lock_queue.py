"""Lock waits at one moment: who waits, for whom, since when and for what.

Read only when a session waits, for at most 50 waiters with a few edges each, because the query
takes the lock manager's locks and its answer grows with the square of the queue. Before 14 no
server shows since when a lock is waited for: it counts from the first reading that saw it, so that
a long statement that just began to wait is not taken for a long wait.
Sources: PostgreSQL manual, pg_blocking_pids, pg_locks (waitstart from 14), pg_prepared_xacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from probes.model import KeptKey, Memory, ProbeError, Row, Session, Words
from probes.postgresql.locks.blocking import PREPARED, Roots, roots
from probes.wire import deadline
from probes.words.tables import TRUNCATED

WAITING_SINCE = KeptKey[dict[str, float]]("", dict)
"""When each waiter was first seen, by pid and start of its statement."""

WAITERS_LOOKED_AT = 50
EDGES_LOOKED_AT = 3
DATABASES_ASKED = 3
"""Limit of databases visited to resolve names of locked tables outside the url's database."""

# Advisory locks are an application's own queue (leader election waits for ever), and an
# autovacuum worker that waits harms nobody: neither counts as a blocked session. One that
# blocks others meanwhile is still followed to their root.
_WAITS = "wait_event_type = 'Lock' and wait_event <> 'advisory'"
SUFFERS = f"{_WAITS} and backend_type <> 'autovacuum worker'"
QUEUES = "wait_event_type = 'Lock' and wait_event = 'advisory'"

# The raw function costs a third of the view; names are looked up for the few rows kept.
_TREE = f"""
with a as materialized (select * from pg_stat_get_activity(null)),
     e as materialized (
       select pid, (pg_blocking_pids(pid))[1:{EDGES_LOOKED_AT}] as b
       from (select pid from a where {SUFFERS} order by query_start limit {WAITERS_LOOKED_AT}) w),
     q as materialized (
       select pid, (pg_blocking_pids(pid))[1:{EDGES_LOOKED_AT}] as b
       from (select pid from a where {QUEUES} and pid in (select unnest(b) from e)
             order by query_start limit {WAITERS_LOOKED_AT}) w),
     edge as materialized (select * from e union all select * from q)
select a.pid, r.rolname as account, d.datname as database, a.application_name as application,
       coalesce(host(a.client_addr), 'socket') as client, a.state, a.backend_type,
       a.wait_event_type = 'Lock' as waits, coalesce({QUEUES}, false) as advisory,
       a.backend_start::text as backend_start, a.query_start::text as query_start,
       extract(epoch from clock_timestamp())::float8 as now,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as transaction_seconds,
       extract(epoch from clock_timestamp() - a.state_change)::float8 as state_seconds,
       left(a.query, 1000) as statement, edge.b as blockers
from a left join edge using (pid)
left join pg_roles r on r.oid = a.usesysid left join pg_database d on d.oid = a.datid
where edge.pid is not null or a.pid in (select unnest(b) from edge)
order by a.pid
"""  # noqa: S608 - only constants of this package are inserted

# A waiter for a row waits for its writer's transaction id and holds the "tuple" lock meanwhile,
# which is where the table's name is.
_LOCKS = """
select l.pid, l.granted, l.mode, l.locktype,
       extract(epoch from clock_timestamp() - {waitstart})::float8 as waited_seconds,
       case when l.relation is null then null
            when d.datname is null then l.relation::regclass::text
            else 'oid ' || l.relation || ' (' || d.datname || ')' end as relation,
       d.datname::text as elsewhere, l.relation::bigint as oid
from pg_locks l
left join pg_database d on d.oid = l.database and d.datname <> current_database()
where not l.granted or (l.locktype = 'tuple' and l.pid = any(%s))
"""
_WAITSTART_SINCE = 140000

_NAMES = "select oid::bigint, oid::regclass::text as name from unnest(%s::oid[]) as oid"

# A prepared transaction keeps its session's virtual id, so its own transaction id lock is what
# ties a lock without a pid to its name.
_PREPARED = """
select w.pid as waiter, p.gid, p.owner::text as account, p.database::text as database,
       extract(epoch from clock_timestamp() - p.prepared)::float8 as age_seconds
from pg_locks w
join pg_locks h on h.pid is null and h.granted
 and (h.transactionid = w.transactionid or (h.relation = w.relation and h.database = w.database))
join pg_locks t on t.pid is null and t.locktype = 'transactionid'
 and t.virtualtransaction = h.virtualtransaction
join pg_prepared_xacts p on p.transaction = t.transactionid
where not w.granted and w.pid = any(%s)
order by p.prepared, w.pid
"""


@dataclass(frozen=True, slots=True)
class Queue:
    """The lock waits at one moment."""

    waiting: int  # all of them, also those beyond the cap
    sessions: dict[int, Row]  # waiters looked at, and who blocks them
    roots: Roots
    waited_seconds: dict[int, float]  # by waiter
    relations: dict[int, str]  # by waiter
    elsewhere: dict[int, tuple[str, int]]  # by waiter: database and oid of a table known only there
    modes: dict[int, str]  # by waiter
    prepared: tuple[Row, ...]  # prepared transactions that block, oldest first

    @property
    def oldest_seconds(self) -> float:
        """The longest wait."""
        return max(
            (s for pid, s in self.waited_seconds.items() if not self.sessions[pid]["advisory"]),
            default=0.0,
        )

    @property
    def truncated(self) -> Words:
        """What was left out, in words; empty when nothing."""
        seen = sum(1 for row in self.sessions.values() if row["blockers"] and not row["advisory"])
        return TRUNCATED.format(shown=seen, all=self.waiting) if seen < self.waiting else ""


def looked_up(session: Session, waiting: int) -> Queue:
    """The queue at this moment; ``waiting`` were counted just before."""
    sessions = {int(row["pid"]): row for row in session.rows(_TREE)}
    blockers = {pid: tuple(row["blockers"]) for pid, row in sessions.items() if row["blockers"]}
    elsewhere = frozenset(
        pid for pid, row in sessions.items() if row["waits"] and pid not in blockers
    )
    waiters = list(blockers)
    exact = session.version >= _WAITSTART_SINCE
    since = {} if exact else waiting_since(sessions, session.memory)
    locks = session.rows(
        _LOCKS.format(waitstart="l.waitstart" if exact else "null::timestamptz"), (waiters,)
    )
    blocks = any(PREPARED in pids for pids in blockers.values())
    return Queue(
        waiting=max(waiting, sum(1 for pid in waiters if not sessions[pid]["advisory"])),
        sessions=sessions,
        roots=roots(blockers, elsewhere),
        waited_seconds=of_locks(sessions, locks)
        if exact
        else {pid: max(0.0, sessions[pid]["now"] - at) for pid, at in since.items()},
        relations={lock["pid"]: lock["relation"] for lock in locks if lock["relation"]},
        elsewhere={
            lock["pid"]: (lock["elsewhere"], lock["oid"]) for lock in locks if lock["elsewhere"]
        },
        modes={lock["pid"]: lock["mode"] for lock in locks if not lock["granted"]},
        prepared=tuple(session.rows(_PREPARED, (waiters,))) if blocks else (),
    )


def of_locks(sessions: Mapping[int, Row], locks: Iterable[Row]) -> dict[int, float]:
    """How long each has waited, from the lock itself; empty during the first milliseconds."""
    return {
        lock["pid"]: max(0.0, lock["waited_seconds"] or 0.0)
        for lock in locks
        if lock["pid"] in sessions and not lock["granted"]
    }


def waiting_since(sessions: Mapping[int, Row], memory: Memory) -> dict[int, float]:
    """When each waiter was first seen to wait in its present statement; recorded for the next
    reading.
    """
    known: dict[str, float] = memory.get(WAITING_SINCE) or {}
    keys = {pid: f"{pid} {row['query_start']}" for pid, row in sessions.items() if row["blockers"]}
    since: dict[int, float] = {
        pid: known.get(key, float(sessions[pid]["now"])) for pid, key in keys.items()
    }
    memory.set(WAITING_SINCE, {keys[pid]: at for pid, at in since.items()})
    return since


def named(session: Session, queue: Queue) -> Queue:
    """The queue with names of tables that only their own database knows, if readable.

    One short session in each of the first few databases; without access the oid is shown.
    """
    wanted: dict[str, set[int]] = {}
    for database, oid in queue.elsewhere.values():
        wanted.setdefault(database, set()).add(oid)
    names: dict[tuple[str, int], str] = {}
    for database, oids in list(wanted.items())[:DATABASES_ASKED]:
        try:
            with (
                deadline.within(deadline.remaining() / (DATABASES_ASKED + 1)),
                session.fresh(database) as own,
            ):
                for row in own.rows(_NAMES, (sorted(oids),)):
                    names[database, row["oid"]] = row["name"]
        except ProbeError:
            continue
    found = {pid: names[key] for pid, key in queue.elsewhere.items() if key in names}
    return replace(queue, relations=queue.relations | found)
