"""Tables of the console for evidence, without columns that mean nothing outside it."""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.formats import duration
from probes.model import Exhibit, Row, Session, Text
from probes.pgbouncer import ask
from probes.words.tables import OLDEST_OF_ALL, exhibit

MOST_SOCKETS = 50

_POOLS = Text("PgBouncer's pools")
_WAITING = Text("Clients that wait for a server connection")
_HELD = Text("Server connections and who uses them")
_DATABASES = Text("The databases as PgBouncer has them")

_DATABASE_COLUMNS = (
    "name", "host", "port", "database", "pool_size", "max_connections", "current_connections",
    "paused", "disabled",
)  # fmt: skip


def pool_tables(session: Session) -> Iterator[Exhibit]:
    """The pools, who waits in them, and who holds their server connections."""
    yield exhibit(_POOLS, sorted(ask.pools(session), key=lambda row: -int(row["cl_waiting"])))
    clients = ask.shown(session, "CLIENTS")
    waiting = [_client(row) for row in clients if row["state"] == "waiting"]
    yield _longest(_WAITING, waiting)
    by_address = {str(row["ptr"]): row for row in clients}
    servers = ask.shown(session, "SERVERS")
    yield _longest(_HELD, [_server(row, by_address.get(str(row["link"]), {})) for row in servers])


def database_table(session: Session) -> Exhibit:
    """The server of each database, and whether it is paused or disabled."""
    rows = ask.databases(session).values()
    shown = [{name: row.get(name) for name in _DATABASE_COLUMNS} for row in rows]
    return exhibit(_DATABASES, shown)


def _longest(title: Text, rows: list[Row]) -> Exhibit:
    oldest_first = sorted(rows, key=lambda row: str(row["since"]))
    shown = exhibit(title, oldest_first[:MOST_SOCKETS])
    if len(rows) <= MOST_SOCKETS:
        return shown
    return Exhibit(
        title, shown.columns, shown.rows, OLDEST_OF_ALL.format(shown=MOST_SOCKETS, all=len(rows))
    )


def _client(row: Row) -> Row:
    return {
        "database": row["database"],
        "user": row["user"],
        "application": row.get("application_name") or None,
        "client": f"{row['addr']}:{row['port']}",
        "connected": row["connect_time"],
        "since": row["request_time"],
        "waited": duration(float(row.get("wait") or 0)),
    }


def _server(row: Row, client: Row) -> Row:
    return {
        "database": row["database"],
        "user": row["user"],
        "state": row["state"],
        "pid": row["remote_pid"],
        "connected": row["connect_time"],
        "since": row["request_time"],
        "client": f"{client['addr']}:{client['port']}" if client else None,
        "application": (client.get("application_name") or None) if client else None,
    }
