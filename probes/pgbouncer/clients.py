"""Number of clients, and their share of the pooler's limits.

PgBouncer counts all clients, also those of its console and those that are logging in, against
max_client_conn; beyond it each further one is rejected. Since 1.24 a database and a user may have
their own limits. Source: PgBouncer manual, max_client_conn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.pgbouncer import ask
from probes.words.tables import exhibit

_NAME_THE_HOARDER_FROM = 0.6


def read(session: Session) -> Iterable[Measurement]:
    """Clients in use of max_client_conn, and of each limit of a database or a user."""
    lists = {str(row["list"]): int(row["items"]) for row in ask.shown(session, "LISTS")}
    used, room = lists["used_clients"], ask.setting(session, "max_client_conn")
    yield Measurement("clients", float(used))
    if room:
        ratio = used / room
        detail: dict[str, object] = {"used": used, "room": room}
        if ratio >= _NAME_THE_HOARDER_FROM:
            detail |= _hoarder(session)
        yield Measurement("clients_used_ratio", ratio, detail=detail)
    for kind, rows, limit in (
        ("database", ask.databases(session), "max_client_connections"),
        ("user", ask.users(session), "max_user_client_connections"),
    ):
        for name, row in rows.items():
            most, now = ask.number(row, limit), ask.number(row, "current_client_connections")
            if most and now is not None:
                yield Measurement(
                    "client_limit_used_ratio",
                    now / most,
                    f"{kind}:{name}",
                    {"used": now, "room": most, "setting": limit},
                )


def _hoarder(session: Session) -> dict[str, object]:
    """The user with most clients."""
    (database, user, address), number = _by_client(session).most_common(1)[0]
    return {"database": database, "user": user, "client": address, "most": number}


def _by_client(session: Session) -> Counter[tuple[str, str, str]]:
    rows = ask.shown(session, "CLIENTS")
    return Counter((str(r["database"]), str(r["user"]), str(r["addr"])) for r in rows)


def exhibits(session: Session) -> Iterator[Exhibit]:
    """How many clients each application's host has."""
    rows = [
        {"database": database, "user": user, "client": address, "clients": number}
        for (database, user, address), number in _by_client(session).most_common(50)
    ]
    yield exhibit(Text("PgBouncer's clients by origin"), rows)


PROBE = Probe(
    name="clients",
    engine="pgbouncer",
    question=Text("How many more clients are taken?"),
    measures=(
        Measure("clients", "", "Clients now, including those of the console."),
        Measure("clients_used_ratio", "ratio", "Clients as a share of max_client_conn."),
        Measure(
            "client_limit_used_ratio",
            "ratio",
            "Clients as a share of a database's or user's own limit (1.24 and later).",
            "holder",
        ),
    ),
    thresholds=(
        Threshold(
            "clients_used_ratio",
            Text(
                "{target}: {value} of max_client_conn is used ({used} of {room}); most by {user} "
                "on {database} from {client} with {most}"
            ),
            Text(
                "The next clients are turned away. Look for a leak of connections in the "
                "application at {client}; if the number is right, raise max_client_conn together "
                "with the service's LimitNOFILE."
            ),
            "pooler",
            warning=0.8,
            critical=0.95,
            raise_after=2,
            clear_margin=0.1,
            headline=Text(
                "{target}: clients near max_client_conn, most of them {user} from {client}"
            ),
        ),
        Threshold(
            "client_limit_used_ratio",
            Text(
                "{target}: {value} of the limit of clients of {subject} ({setting}) is used "
                "({used} of {room})"
            ),
            Text(
                "The next clients are turned away although the pooler has room: look for a leak, "
                "or raise {setting}."
            ),
            "pooler",
            warning=0.9,
            raise_after=2,
            clear_margin=0.1,
        ),
    ),
    read=read,
    every=30.0,
    sooner_in_doubt=True,
    exhibits=exhibits,
    runbook=Text(
        "1. Which host has most clients (evidence). 2. A leak after a release? Restart that "
        "application. 3. Do clients pile up because they wait? See pools. 4. Raise "
        "max_client_conn and LimitNOFILE."
    ),
)
