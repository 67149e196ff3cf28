"""Sessions that wait for a lock, for how long, and the root blocker.

Counting waiters is cheap and runs every time; the queue is read only when a session waits
(``lock_queue``). The right to see other sessions is checked first: without it PostgreSQL shows no
waiters at all instead of failing.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.i18n.formats import duration
from probes.i18n.headings import headings
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
    Words,
)
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.locks.blocking import PREPARED
from probes.postgresql.locks.lock_queue import (
    QUEUES,
    SUFFERS,
    WAITING_SINCE,
    Queue,
    looked_up,
    named,
)
from probes.postgresql.statements import redacted

_COUNT = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       count(*) filter (where {SUFFERS}) as waiting,
       count(*) filter (where {QUEUES}) as advisory
from pg_stat_get_activity(null)
"""  # noqa: S608 - only constants of this package are inserted


def read(session: Session) -> Iterable[Measurement]:
    """Count, longest wait and root; raises ``ProbeError(BLIND)`` without pg_read_all_stats."""
    counted = session.rows(_COUNT)[0]
    require_sight(counted)
    yield Measurement("advisory_waiters", float(counted["advisory"]))
    if not counted["waiting"]:
        session.memory.drop(WAITING_SINCE)
    queue = looked_up(session, int(counted["waiting"])) if counted["waiting"] else None
    if queue is None or queue.roots.main is None:  # nobody waits, or the wait ended meanwhile
        yield Measurement("blocked_sessions", 0.0)
        yield Measurement("blocked_seconds", 0.0)
        return
    detail = _detail(queue, queue.roots.main)
    yield Measurement("blocked_sessions", float(queue.waiting), detail=detail)
    yield Measurement("blocked_seconds", queue.oldest_seconds, detail=detail)


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
        return detail | {"blocker": f"PID {root}", "culprit": f"PID {root}", "ask": _ask("-", "-")}
    if row["backend_type"] == _REPLAY:
        return detail | {"user": _REPLAY, "app": "-", "state": "-", "since": "-"} | _of_replay(root)
    since = duration(row["transaction_seconds"] or row["state_seconds"] or 0.0)
    facts = {
        "user": row["account"] or row["backend_type"],
        "app": row["application"] or "-",
        "state": row["state"] or "-",
        "since": since,
    }
    blocker = Text("PID {pid} ({user}, {app}, {state}, transaction {since})", pid=root, **facts)
    ask = _ask(facts["app"], facts["user"]) if row["account"] else _ASK_WORKER
    culprit = "PID {pid} ({user}, {app})".format(pid=root, **facts)
    return detail | facts | {"blocker": blocker, "culprit": culprit, "ask": ask}


_REPLAY = "startup"
"""The process that replays WAL; it holds the locks of the primary's transactions."""

_ASK_WORKER = Text(
    "That is a process of the server itself and no application: wait for its end, or stop it and "
    "let it start again at a quiet hour."
)


def _ask(application: str, account: str) -> Text:
    return Text("Call the owner of application {app} ({user}).", app=application, user=account)


def _of_replay(pid: int) -> dict[str, object]:
    replay = Text("the replay of WAL on this replica (startup process, PID {pid})", pid=pid)
    return {
        "blocker": replay,
        "culprit": replay,
        "ask": Text(
            "Look on the primary for an open transaction with an AccessExclusiveLock (DDL, LOCK "
            "TABLE), and whether replay is paused; never end the startup process."
        ),
    }


def _ddl_in_the_queue(queue: Queue, root: int) -> Text:
    """The DDL that waits for the root itself and blocks all others behind it.

    Readers do not wait for a reader; they wait for the exclusive lock requested ahead of them.
    """
    looked_at = [pid for pid in queue.modes if pid in queue.sessions]
    for pid in sorted(looked_at, key=lambda each: -queue.waited_seconds.get(each, 0.0)):
        mode = queue.modes[pid]
        behind = sum(1 for row in queue.sessions.values() if pid in (row["blockers"] or ()))
        if mode == "AccessExclusiveLock" and queue.roots.of.get(pid) == root and behind:
            row = queue.sessions[pid]
            return Text(
                "; {n} of them queue behind the DDL of PID {pid} ({user}, {mode} on {table})",
                n=behind,
                pid=pid,
                user=row["account"] or "-",
                mode=mode,
                table=queue.relations.get(pid, "?"),
            )
    return NOTHING_SAID


def _prepared_detail(queue: Queue) -> dict[str, object]:
    if not queue.prepared:  # ended between two questions
        gone = Text("a prepared transaction")
        return {"blocker": gone, "culprit": gone, "ask": _ask("-", "-")}
    row = queue.prepared[0]
    since = duration(row["age_seconds"])
    blocker = Text(
        "prepared transaction '{gid}' ({user}, for {since})",
        gid=row["gid"],
        user=row["account"],
        since=since,
    )
    culprit = Text("prepared transaction '{gid}' ({user})", gid=row["gid"], user=row["account"])
    return {
        "user": row["account"], "app": "-", "state": "prepared", "gid": row["gid"],
        "since": since, "blocker": blocker, "culprit": culprit,
        "ask": _ask("-", str(row["account"])),
    }  # fmt: skip


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The blocking tree, and the commands a person may run.

    Nothing is run. Statements are shown without their literals.
    """
    counted = session.rows(_COUNT)[0]
    require_sight(counted)
    queue = named(session, looked_up(session, int(counted["waiting"])))
    yield Exhibit(
        Text("Blocking tree"),
        headings(
            "session", "account", "application", "database", "client", "state", "transaction",
            "waited", "wants", "relation", "statement",
        ),
        tuple(_tree(queue)),
        note=queue.truncated,
    )  # fmt: skip
    yield Exhibit(
        Text("Commands a person might run (Sigap runs none of them)"),
        headings("root", "victims", "command"),
        tuple(_commands(queue)),
    )


_PREPARED = Text("prepared")
_NOT_EXPANDED = Text("{name} (waits itself, not expanded)")
_ROLLBACK = Text("ROLLBACK PREPARED '{gid}'; -- in database {there}, nowhere else")


def _tree(queue: Queue) -> Iterable[tuple[Words, ...]]:
    for root in queue.roots.victims:
        yield _line(queue, root, 0)
        direct: dict[int, int] = {}
        for waiter in (pid for pid, top in queue.roots.of.items() if top == root and pid != root):
            direct[waiter] = 1 if root in queue.sessions[waiter]["blockers"] else 2
        for waiter in sorted(direct, key=lambda p: (direct[p], -queue.waited_seconds.get(p, 0.0))):
            yield _line(queue, waiter, direct[waiter])


def _line(queue: Queue, pid: int, level: int) -> tuple[Words, ...]:
    name: Words = f"{'  ' * level}{'└ ' if level else ''}PID {pid}"
    if pid == PREPARED:
        gids = ", ".join(dict.fromkeys(str(row["gid"]) for row in queue.prepared)) or "?"
        accounts = ", ".join(dict.fromkeys(str(row["account"]) for row in queue.prepared)) or "-"
        said = Text("prepared {gids}", gids=gids)
        return (said, accounts, *("-",) * 3, _PREPARED, *("-",) * 5)
    row = queue.sessions.get(pid)
    if row is None:
        return (name, *("-",) * 10)
    if pid in queue.roots.not_expanded:
        name = _NOT_EXPANDED.format(name=name)
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


def _seconds(value: float | None) -> Words:
    return "-" if value is None else duration(value)


def _commands(queue: Queue) -> Iterable[tuple[Words, str, Words]]:
    for root, victims in queue.roots.victims.items():
        if root == PREPARED:
            named = dict.fromkeys((str(r["gid"]), str(r["database"])) for r in queue.prepared)
            for gid, database in named:
                quoted, there = gid.replace("'", "''"), " ".join(database.split())
                command = _ROLLBACK.format(gid=quoted, there=there)
                yield _PREPARED, str(victims), command
            continue
        row = queue.sessions.get(root)
        if row is not None and row["backend_type"] != _REPLAY:
            yield f"PID {root}", str(victims), _command(row)


def _command(row: Row) -> str:
    """Cancels a running statement, ends an idle session; bound to this session, since pids are
    reused.
    """
    function = "pg_cancel_backend" if row["state"] == "active" else "pg_terminate_backend"
    return (
        f"SELECT {function}(pid) FROM pg_stat_activity "  # noqa: S608 - shown to people, never run
        f"WHERE pid = {row['pid']} AND backend_start = '{row['backend_start']}';"
    )


_HINT = Text(
    "{ask} The evidence holds the whole tree and, where there is one, the exact command: cancel a "
    "running statement, end a session idle in transaction, or finish a prepared transaction."
)

PROBE = Probe(
    name="blocked_sessions",
    engine="postgresql",
    question=Text("Who makes other sessions wait for a lock, and for how long already?"),
    measures=(
        Measure("blocked_sessions", "", "Sessions that wait for a lock, except advisory locks."),
        Measure("blocked_seconds", "seconds", "How long the longest of them has waited."),
        # Not judged: applications queue by advisory locks on purpose, one waiter for each worker.
        Measure("advisory_waiters", "", "Sessions that wait for an advisory lock."),
    ),
    thresholds=(
        Threshold(
            "blocked_seconds",
            Text(
                "{target}: {victims} {victims:session waits|sessions wait} for {blocker}; "
                "longest {value} (limit {limit})"
                "{queue}"
            ),
            _HINT,
            "locks",
            # One to two minutes is common practice; users notice half a minute.
            warning=30.0,
            critical=120.0,
            headline=Text("{target}: sessions wait for {culprit}"),
        ),
        Threshold(
            "blocked_sessions",
            Text(
                "{target}: {value} {value:session waits|sessions wait} for a lock; the root is "
                "{blocker}{queue}"
            ),
            _HINT,
            "locks",
            # A pile-up uses connection slots whatever its age; a short one is ordinary.
            warning=10.0,
            critical=50.0,
            raise_after=2,
            clear_margin=0.2,
            headline=Text("{target}: many sessions wait for a lock; the root is {culprit}"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Look at the root of the blocking tree: who, which application, since when. 2. Call "
        "its owner. 3. If out of reach, run the command in the evidence. 4. Find out why the "
        "transaction was left open (idle_in_transaction_session_timeout, the application's "
        "lock_timeout)."
    ),
)
