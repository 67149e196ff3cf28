"""Whether the pooler reaches the PostgreSQL servers behind it.

A client that waits while its pool has no connection with a completed login waits for PostgreSQL: it
is down, rejects the pooler's account, or is so slow that the login never ends. PgBouncer lets the
first such client wait and rejects the next ones at once ("server login has been failing"), so one
waiting client is enough; ``login`` meets the rejection if the target names a database. Without
clients nothing is sent to PostgreSQL and nothing can be reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probes.local.down_evidence import last_words
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.pgbouncer import ask
from probes.pgbouncer.evidence import database_table, pool_tables
from probes.pgbouncer.pools import usable

_GONE = Text("no connection to it comes about")
_HANGS = Text("a login to it does not end")


def read(session: Session) -> Iterable[Measurement]:
    """Of every pool that is not paused: 0 when clients wait and no server connection is usable."""
    databases = ask.databases(session)
    if ask.state(session).get("paused"):
        return
    for pool in ask.pools(session):
        database = databases.get(str(pool["database"]), {})
        if ask.number(database, "paused"):
            continue
        unserved = bool(pool["cl_waiting"]) and not usable(pool)
        yield Measurement(
            "pool_served",
            float(not unserved),
            f"{pool['database']}/{pool['user']}",
            {
                "database": pool["database"],
                "user": pool["user"],
                "waiting": int(pool["cl_waiting"]),
                "server": f"{database.get('host') or 'socket'}:{database.get('port') or '-'}",
                "reason": _HANGS if pool["sv_login"] else _GONE,
            },
        )


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The server of each database, the pools, and what PgBouncer logged about its attempts."""
    yield database_table(session)
    yield from pool_tables(session)
    yield from last_words(session)


PROBE = Probe(
    name="servers",
    engine="pgbouncer",
    question=Text("Can the pooler reach the PostgreSQL behind it?"),
    measures=(
        Measure(
            "pool_served", "", "0 while clients wait and no server connection is usable.", "pool"
        ),
    ),
    thresholds=(
        Threshold(
            "pool_served",
            Text(
                "{target} does not reach {database} at {server}: {reason}; {waiting} clients of "
                "{user} wait"
            ),
            Text(
                "Check that PostgreSQL. If it lives: the address, the password and pg_hba.conf for "
                "PgBouncer (its log says why), or a forgotten PAUSE without a database's name (run "
                "RESUME)."
            ),
            "pooler",
            critical=0.0,
            above=False,
            raise_after=2,
            headline=Text("{target} does not reach {database} at {server}: {reason}"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    runbook=Text(
        "1. Does that PostgreSQL answer directly (psql from PgBouncer's host)? 2. PgBouncer's log: "
        "failed logins and why. 3. The password in auth_file, and pg_hba.conf. 4. DNS of the host "
        "name under [databases]. 5. PostgreSQL's max_connections."
    ),
)
