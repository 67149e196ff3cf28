"""Clients that wait for a server connection: how many, how long, and why.

``maxwait`` is the age of the first client's query. A client that is still logging in waits without
a query and shows 0, however long it and those behind it wait; the clients of such a pool are read
one by one. A client that left while it waited is counted until its turn comes, because PgBouncer
does not notice. Source: PgBouncer manual, "SHOW POOLS".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probes.model import Exhibit, Measure, Measurement, Probe, Row, Session, Text, Threshold
from probes.pgbouncer import ask
from probes.pgbouncer.evidence import pool_tables
from probes.pgbouncer.moments import longest_waits

_COUNTS = {
    "pool_clients_active": "cl_active",
    "pool_clients_waiting": "cl_waiting",
    "pool_servers_active": "sv_active",
    "pool_servers_idle": "sv_idle",
    "pool_servers_in_login": "sv_login",
}

_PAUSED = Text("that database is paused")
_ALL_PAUSED = Text("the pooler is paused")
_UNSERVED = Text("there is no connection to PostgreSQL at all")
_IN_LOGIN = Text("a login to the PostgreSQL behind it does not end")
_FULL = Text("all {size} server connections of the pool are in use")
_LIMIT = Text("max_db_connections of that database ({limit}) is reached")
_SLOW = Text("server connections are handed out too late")

_RESUME = Text("If that work is done, run on the admin console: RESUME {database};")
_RESUME_ALL = Text("If that work is done, run on the admin console: RESUME;")
_LOOK_BEHIND = Text("Check the PostgreSQL at {server}, and the last lines of PgBouncer's log.")
_SHORTEN = Text(
    "Find the transactions that hold the connections (evidence; their pids are in "
    "pg_stat_activity): a lock, slow queries, or a transaction left open. Only then raise "
    "pool_size, within PostgreSQL's max_connections."
)


def read(session: Session) -> Iterable[Measurement]:
    """Each pool's clients and server connections, and why clients wait, if they do."""
    pools = ask.pools(session)
    databases = ask.databases(session)
    longest = longest_waits(session) if any(map(_without_age, pools)) else {}
    for pool in pools:
        name = f"{pool['database']}/{pool['user']}"
        for measure, column in _COUNTS.items():
            yield Measurement(measure, float(pool[column]), name)
        size = _size(session, pool, databases)
        if size is not None:
            yield Measurement("pool_size", float(size), name)
        waited = float(pool["maxwait"]) + float(pool.get("maxwait_us") or 0) / 1e6
        if _without_age(pool):
            waited = longest.get((str(pool["database"]), str(pool["user"])), 0.0)
        yield Measurement(
            "pool_wait_seconds", waited, name, _detail(session, pool, databases, size)
        )


def _without_age(pool: Row) -> bool:
    """The first waiting client is still logging in, which hides how long the others wait."""
    return bool(pool["cl_waiting"]) and not pool["maxwait"] and not pool.get("maxwait_us")


def _detail(
    session: Session, pool: Row, databases: dict[str, Row], size: int | None
) -> dict[str, object]:
    database = databases.get(str(pool["database"]), {})
    reason, next_step = _why(session, pool, database, size)
    server = f"{database.get('host') or 'socket'}:{database.get('port') or '-'}"
    words = {
        "database": pool["database"],
        "server": server,
        "size": size if size is not None else "-",
        "limit": ask.number(database, "max_connections") or "-",
    }
    return {
        **words,
        "user": pool["user"],
        "waiting": int(pool["cl_waiting"]),
        "mode": pool["pool_mode"],
        "reason": reason.format(**words),
        "next": next_step.format(**words),
    }


def _why(session: Session, pool: Row, database: Row, size: int | None) -> tuple[Text, Text]:
    """What the clients of this pool wait for, and what to do."""
    if not pool["cl_waiting"]:
        return Text("-"), Text("-")
    if ask.number(database, "paused"):
        return _PAUSED, _RESUME
    if ask.state(session).get("paused"):
        return _ALL_PAUSED, _RESUME_ALL
    if pool["sv_login"] and not usable(pool):
        return _IN_LOGIN, _LOOK_BEHIND
    if not usable(pool):
        return _UNSERVED, _LOOK_BEHIND
    limit = ask.number(database, "max_connections")
    if limit and (ask.number(database, "current_connections") or 0) >= limit:
        return _LIMIT, _SHORTEN
    if size is not None and usable(pool) >= size:
        return _FULL, _SHORTEN
    return (_IN_LOGIN, _LOOK_BEHIND) if pool["sv_login"] else (_SLOW, _LOOK_BEHIND)


def usable(pool: Row) -> int:
    """Server connections that have completed their login."""
    return sum(int(pool[column]) for column in ("sv_active", "sv_idle", "sv_used", "sv_tested"))


def _size(session: Session, pool: Row, databases: dict[str, Row]) -> int | None:
    """How many server connections this pool may have; a user's own size wins (since 1.23)."""
    database = databases.get(str(pool["database"]), {})
    size = ask.number(database, "pool_size")
    if pool["cl_waiting"]:  # SHOW USERS may be long: only when it matters
        own = ask.number(ask.users(session).get(str(pool["user"]), {}), "pool_size")
        size = own if own is not None else size
        reserve = ask.number(database, "reserve_pool_size", "reserve_pool") or 0
        return size if size is None else size + reserve
    return size


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The pools, the waiting clients, and the clients that use the server connections."""
    yield from pool_tables(session)


PROBE = Probe(
    name="pools",
    engine="pgbouncer",
    question=Text("Do clients wait for a server connection: who, how long, and why?"),
    measures=(
        Measure("pool_clients_active", "", "Clients with a server connection, or idle.", "pool"),
        Measure("pool_clients_waiting", "", "Clients that wait for a server connection.", "pool"),
        Measure("pool_servers_active", "", "Server connections in use by a client.", "pool"),
        Measure("pool_servers_idle", "", "Server connections ready to be used.", "pool"),
        Measure("pool_servers_in_login", "", "Server connections that are logging in.", "pool"),
        Measure("pool_size", "", "Server connections the pool may have.", "pool"),
        Measure("pool_wait_seconds", "seconds", "How long the oldest client has waited.", "pool"),
    ),
    thresholds=(
        Threshold(
            "pool_wait_seconds",
            Text(
                "{target}: {waiting} clients of {user} have waited for a connection to {database} "
                "for up to {value}: {reason} ({mode} pooling)"
            ),
            Text("{next}"),
            "pooler",
            # Short waits are normal for a pool; after seconds users see a page that hangs,
            # and after query_wait_timeout (120 s) they are disconnected.
            warning=3.0,
            critical=10.0,
            raise_after=2,
            headline=Text(
                "{target}: clients of {user} wait for a connection to {database}: {reason}"
            ),
        ),
    ),
    read=read,
    exhibits=exhibits,
    runbook=Text(
        "1. Who holds the server connections (evidence: pid and since when). 2. A lock in "
        "PostgreSQL? See blocked_sessions. 3. A transaction left open keeps its connection: end it "
        "in the application. 4. Queries that became slow? 5. A forgotten PAUSE: RESUME. 6. Only "
        "then pool_size."
    ),
)
