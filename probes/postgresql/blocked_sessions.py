"""Who makes everybody wait for a lock, and for how long already?

Counting waiters is cheap and happens every time. Only when somebody waits are blockers looked
up, for at most 50 waiters with a few edges each, because that lookup takes the lock manager's
locks and its answer grows with the square of the queue. The right to see other sessions is
checked first: without it PostgreSQL shows no waiters at all instead of failing.
Sources: PostgreSQL manual, pg_blocking_pids, pg_locks (waitstart from 14), pg_prepared_xacts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probes.model import (
    NOTHING_SAID,
    Exhibit,
    Measure,
    Measurement,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.blocking import PREPARED, Roots, roots
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.statements import redacted
from probes.units import duration

WAITERS_LOOKED_AT = 50
EDGES_LOOKED_AT = 3

# Advisory locks are an application's own queue (leader election waits for ever), and an
# autovacuum worker that waits makes nobody suffer: neither counts as a blocked session.
_WAITS = "wait_event_type = 'Lock' and wait_event <> 'advisory'"
_SUFFERS = f"{_WAITS} and backend_type <> 'autovacuum worker'"

_COUNT = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       count(*) filter (where {_SUFFERS}) as waiting,
       count(*) filter (where wait_event_type = 'Lock' and wait_event = 'advisory') as advisory
from pg_stat_get_activity(null)
"""  # noqa: S608 - only constants of this package are inserted

# The raw function costs a third of the view; names are looked up for the few rows kept.
_TREE = f"""
with a as materialized (select * from pg_stat_get_activity(null)),
     e as materialized (
       select pid, pg_blocking_pids(pid) as b
       from (select pid from a where {_SUFFERS} order by query_start limit {WAITERS_LOOKED_AT}) w),
     edge as materialized (select pid, b[1:{EDGES_LOOKED_AT}] as b from e)
select a.pid, r.rolname as account, d.datname as database, a.application_name as application,
       coalesce(host(a.client_addr), 'socket') as client, a.state, a.backend_type,
       a.wait_event_type = 'Lock' as waits, a.backend_start::text as backend_start,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as transaction_seconds,
       extract(epoch from clock_timestamp() - a.state_change)::float8 as state_seconds,
       extract(epoch from clock_timestamp() - a.query_start)::float8 as query_seconds,
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
            when l.database in (0, (select oid from pg_database where datname = current_database()))
            then l.relation::regclass::text else 'oid ' || l.relation end as relation
from pg_locks l where not l.granted or (l.locktype = 'tuple' and l.pid = any(%s))
"""
_WAITSTART_SINCE = 140000

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
    """Everything seen of one moment's lock waits."""

    waiting: int  # all of them, also those beyond the cap
    sessions: dict[int, Row]  # waiters looked at, and who blocks them
    roots: Roots
    waited_seconds: dict[int, float]  # by waiter
    relations: dict[int, str]  # by waiter
    modes: dict[int, str]  # by waiter
    prepared: tuple[Row, ...]  # prepared transactions that block, oldest first

    @property
    def oldest_seconds(self) -> float:
        """How long the longest of them has waited."""
        return max(self.waited_seconds.values(), default=0.0)

    @property
    def truncated(self) -> str:
        """What was left out, in words; empty when nothing."""
        seen = sum(1 for row in self.sessions.values() if row["blockers"])
        return f"truncated to {seen} of {self.waiting} waiters" if seen < self.waiting else ""


def read(session: Session) -> Iterable[Measurement]:
    """Count, age and root; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    counted = session.rows(_COUNT)[0]
    require_sight(counted)
    yield Measurement("advisory_waiters", float(counted["advisory"]))
    queue = _queue(session, int(counted["waiting"])) if counted["waiting"] else None
    if queue is None or queue.roots.main is None:  # nobody waits, or the wait ended meanwhile
        yield Measurement("blocked_sessions", 0.0)
        yield Measurement("blocked_seconds", 0.0)
        return
    detail = _detail(queue, queue.roots.main)
    yield Measurement("blocked_sessions", float(queue.waiting), detail=detail)
    yield Measurement("blocked_seconds", queue.oldest_seconds, detail=detail)


def _queue(session: Session, waiting: int) -> Queue:
    sessions = {int(row["pid"]): row for row in session.rows(_TREE)}
    blockers = {pid: tuple(row["blockers"]) for pid, row in sessions.items() if row["blockers"]}
    elsewhere = frozenset(
        pid for pid, row in sessions.items() if row["waits"] and pid not in blockers
    )
    waiters = list(blockers)
    exact = session.version >= _WAITSTART_SINCE
    locks = session.rows(
        _LOCKS.format(waitstart="l.waitstart" if exact else "null::timestamptz"), (waiters,)
    )
    blocks = any(PREPARED in pids for pids in blockers.values())
    return Queue(
        waiting=max(waiting, len(waiters)),
        sessions=sessions,
        roots=roots(blockers, elsewhere),
        waited_seconds=waited_seconds(sessions, locks, exact=exact),
        relations={lock["pid"]: lock["relation"] for lock in locks if lock["relation"]},
        modes={lock["pid"]: lock["mode"] for lock in locks if not lock["granted"]},
        prepared=tuple(session.rows(_PREPARED, (waiters,))) if blocks else (),
    )


def waited_seconds(sessions: dict[int, Row], locks: list[Row], *, exact: bool) -> dict[int, float]:
    """How long each waiter has waited.

    From the lock itself where the server tells (14 and later; it is empty for the first
    milliseconds). Earlier servers only know when the statement began, which may be long before.
    """
    if exact:
        return {
            lock["pid"]: max(0.0, lock["waited_seconds"] or 0.0)
            for lock in locks
            if lock["pid"] in sessions and not lock["granted"]
        }
    return {
        pid: max(0.0, row["query_seconds"] or 0.0)
        for pid, row in sessions.items()
        if row["blockers"]
    }


def _detail(queue: Queue, root: int) -> dict[str, object]:
    victims = queue.roots.victims[root]
    detail: dict[str, object] = {"victims": victims, "pid": root, "waiting": queue.waiting}
    relation = next(
        (queue.relations[pid] for pid, top in queue.roots.of.items()
         if top == root and pid in queue.relations), "",
    )  # fmt: skip
    detail["relation"] = relation
    detail["queue"] = _ddl_in_the_queue(queue, root)
    if root == PREPARED:
        return detail | _prepared_detail(queue)
    row = queue.sessions.get(root)
    if row is None:
        return detail | {"blocker": f"PID {root}"}
    since = duration(row["transaction_seconds"] or row["state_seconds"] or 0.0)
    facts = {
        "user": row["account"] or row["backend_type"],
        "app": row["application"] or "-",
        "state": row["state"] or "-",
        "since": since,
    }
    blocker = Text(
        "PID {pid} ({user}, {app}, {state}, transaksi {since})",
        "PID {pid} ({user}, {app}, {state}, transaction {since})",
    ).format(pid=root, **facts)
    return detail | facts | {"blocker": blocker}


def _ddl_in_the_queue(queue: Queue, root: int) -> Text:
    """The DDL that waits for the root itself and makes everybody else wait behind it.

    Readers do not wait for a reader; they wait for the exclusive lock asked for ahead of them.
    """
    looked_at = [pid for pid in queue.modes if pid in queue.sessions]
    for pid in sorted(looked_at, key=lambda each: -queue.waited_seconds.get(each, 0.0)):
        mode = queue.modes[pid]
        behind = sum(1 for row in queue.sessions.values() if pid in (row["blockers"] or ()))
        if mode == "AccessExclusiveLock" and queue.roots.of.get(pid) == root and behind:
            row = queue.sessions[pid]
            return Text(
                "; {n} di antaranya antre di belakang DDL PID {pid} ({user}, {mode} atas {table})",
                "; {n} of them queue behind the DDL of PID {pid} ({user}, {mode} on {table})",
            ).format(
                n=behind, pid=pid, user=row["account"] or "-", mode=mode,
                table=queue.relations.get(pid, "?"),
            )  # fmt: skip
    return NOTHING_SAID


def _prepared_detail(queue: Queue) -> dict[str, object]:
    if not queue.prepared:  # ended between two questions
        return {"blocker": Text("transaksi yang disiapkan", "a prepared transaction")}
    row = queue.prepared[0]
    since = duration(row["age_seconds"])
    blocker = Text(
        "transaksi disiapkan '{gid}' ({user}, sejak {since})",
        "prepared transaction '{gid}' ({user}, for {since})",
    ).format(gid=row["gid"], user=row["account"], since=since)
    return {
        "user": row["account"], "app": "-", "state": "prepared", "gid": row["gid"],
        "since": since, "blocker": blocker,
    }  # fmt: skip


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The blocking tree as a DBA reads it, and the commands a person might run.

    Nothing is run. Statements are shown without their literals.
    """
    counted = session.rows(_COUNT)[0]
    require_sight(counted)
    queue = _queue(session, int(counted["waiting"]))
    yield Exhibit(
        Text("Pohon penghalang", "Blocking tree"),
        (
            "session", "account", "application", "database", "client", "state", "transaction",
            "waited", "wants", "relation", "statement",
        ),
        tuple(_tree(queue)),
        note=queue.truncated,
    )  # fmt: skip
    yield Exhibit(
        Text(
            "Perintah yang dapat dijalankan orang (Sigap tidak menjalankannya)",
            "Commands a person might run (Sigap runs none of them)",
        ),
        ("root", "victims", "command"),
        tuple(_commands(queue)),
    )


def _tree(queue: Queue) -> Iterable[tuple[str, ...]]:
    for root in queue.roots.victims:
        yield _line(queue, root, 0)
        direct: dict[int, int] = {}
        for waiter in (pid for pid, top in queue.roots.of.items() if top == root and pid != root):
            direct[waiter] = 1 if root in queue.sessions[waiter]["blockers"] else 2
        for waiter in sorted(direct, key=lambda p: (direct[p], -queue.waited_seconds.get(p, 0.0))):
            yield _line(queue, waiter, direct[waiter])


def _line(queue: Queue, pid: int, level: int) -> tuple[str, ...]:
    name = f"{'  ' * level}{'└ ' if level else ''}PID {pid}"
    if pid == PREPARED:
        gids = ", ".join(dict.fromkeys(str(row["gid"]) for row in queue.prepared)) or "?"
        accounts = ", ".join(dict.fromkeys(str(row["account"]) for row in queue.prepared)) or "-"
        return (f"prepared {gids}", accounts, *("-",) * 3, "prepared", *("-",) * 5)
    row = queue.sessions.get(pid)
    if row is None:
        return (name, *("-",) * 10)
    if pid in queue.roots.not_expanded:
        name += " (waits itself, not expanded)"
    waited = queue.waited_seconds.get(pid)
    return (
        name,
        str(row["account"] or row["backend_type"]),
        str(row["application"] or "-"),
        str(row["database"] or "-"),
        str(row["client"]),
        str(row["state"] or "-"),
        _seconds(row["transaction_seconds"]),
        _seconds(waited),
        queue.modes.get(pid, "-"),
        queue.relations.get(pid, "-"),
        redacted(str(row["statement"] or "")),
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _commands(queue: Queue) -> Iterable[tuple[str, str, str]]:
    for root, victims in queue.roots.victims.items():
        if root == PREPARED:
            for gid in dict.fromkeys(str(row["gid"]) for row in queue.prepared):
                quoted = gid.replace("'", "''")
                yield "prepared", str(victims), f"ROLLBACK PREPARED '{quoted}';"
            continue
        row = queue.sessions.get(root)
        if row is not None:
            yield f"PID {root}", str(victims), _command(row)


def _command(row: Row) -> str:
    """Cancel what runs, end what idles; bound to this very session, since pids come again."""
    function = "pg_cancel_backend" if row["state"] == "active" else "pg_terminate_backend"
    return (
        f"SELECT {function}(pid) FROM pg_stat_activity "  # noqa: S608 - shown to people, never run
        f"WHERE pid = {row['pid']} AND backend_start = '{row['backend_start']}';"
    )


_HINT = Text(
    "Hubungi pemilik aplikasi {app} ({user}). Bukti berisi pohon lengkap dan perintah yang tepat: "
    "batalkan pernyataan yang berjalan, akhiri sesi yang idle in transaction, atau selesaikan "
    "transaksi yang disiapkan.",
    "Call the owner of application {app} ({user}). The evidence holds the whole tree and the exact "
    "command: cancel a running statement, end a session idle in transaction, or finish a prepared "
    "transaction.",
)

PROBE = Probe(
    name="blocked_sessions",
    engine="postgresql",
    question=Text(
        "Siapa yang membuat sesi lain menunggu kunci, dan sudah berapa lama?",
        "Who makes other sessions wait for a lock, and for how long already?",
    ),
    measures=(
        Measure("blocked_sessions", "", "Sessions that wait for a lock, advisory ones apart."),
        Measure("blocked_seconds", "seconds", "How long the longest of them has waited."),
        Measure("advisory_waiters", "", "Sessions that wait for an advisory lock."),
    ),
    thresholds=(
        Threshold(
            "blocked_seconds",
            Text(
                "{target}: {victims} sesi menunggu {blocker}; terlama {value} (batas {limit})"
                "{queue}",
                "{target}: {victims} sessions wait for {blocker}; longest {value} (limit {limit})"
                "{queue}",
            ),
            _HINT,
            "locks",
            # One to two minutes is common practice; people at a counter notice half a minute.
            warning=30.0,
            critical=120.0,
        ),
        Threshold(
            "blocked_sessions",
            Text(
                "{target}: {value} sesi menunggu kunci; pangkalnya {blocker}{queue}",
                "{target}: {value} sessions wait for a lock; the root is {blocker}{queue}",
            ),
            _HINT,
            "locks",
            # A pile-up eats connection slots whatever its age; a short one is ordinary life.
            warning=10.0,
            critical=50.0,
            raise_after=2,
            clear_margin=0.2,
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Lihat akar pohon penghalang: siapa, aplikasi apa, sejak kapan. 2. Hubungi pemiliknya. "
        "3. Bila tidak terjangkau, jalankan perintah pada bukti. 4. Cari sebab transaksi dibiarkan "
        "terbuka (idle_in_transaction_session_timeout, lock_timeout aplikasi).",
        "1. Look at the root of the blocking tree: who, which application, since when. 2. Call "
        "its owner. 3. If out of reach, run the command in the evidence. 4. Find out why the "
        "transaction was left open (idle_in_transaction_session_timeout, the application's "
        "lock_timeout).",
    ),
)
