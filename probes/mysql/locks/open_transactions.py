"""Open transactions, their age, and whether their session is idle.

Shared by the probes of long and of idle transactions. Replication threads are left out (a delayed
replica keeps none open, and an applier is judged by its lag). Transactions without a session are
included, because a prepared one is never ended by itself; see ``sessionless``.
Source: INFORMATION_SCHEMA.INNODB_TRX, on both flavours; needs PROCESS.
"""

from __future__ import annotations

from probes.i18n.headings import headings
from probes.model import Exhibit, Row, Session, Text
from probes.mysql.locks import sessionless
from probes.mysql.redact import statement
from probes.words.tables import OLDEST

MOST = 20
_FIELDS = """
SELECT t.trx_id, t.trx_mysql_thread_id AS id, t.trx_rows_modified AS modified,
       t.trx_rows_locked AS locked, t.trx_query AS query, t.trx_state AS state,
       timestampdiff(SECOND, t.trx_started, now()) AS age,"""
_ASK = {
    "mariadb": f"""{_FIELDS}
       p.USER AS user, p.HOST AS host, p.DB AS db, p.COMMAND AS command, p.TIME AS seconds
FROM information_schema.INNODB_TRX t
LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
WHERE t.trx_mysql_thread_id <> connection_id() AND coalesce(p.USER, '') <> 'system user'
ORDER BY t.trx_started LIMIT %s""",
    # INFORMATION_SCHEMA.PROCESSLIST takes MySQL's lock over all sessions; threads does not
    "mysql": f"""{_FIELDS}
       p.PROCESSLIST_USER AS user, p.PROCESSLIST_HOST AS host, p.PROCESSLIST_DB AS db,
       p.PROCESSLIST_COMMAND AS command, p.PROCESSLIST_TIME AS seconds
FROM information_schema.INNODB_TRX t
LEFT JOIN performance_schema.threads p ON p.PROCESSLIST_ID = t.trx_mysql_thread_id
WHERE t.trx_mysql_thread_id <> connection_id()
  AND coalesce(p.NAME, '') NOT LIKE 'thread/sql/replica%%'
  AND coalesce(p.NAME, '') NOT LIKE 'thread/sql/slave%%'
ORDER BY t.trx_started LIMIT %s""",
}


def oldest(session: Session) -> list[Row]:
    """The open transactions, the oldest first, at most ``MOST``."""
    return sessionless.told_apart(session, session.rows(_ASK[session.flavour], (MOST,)), "state")


def is_idle(row: Row) -> bool:
    """Whether its session sleeps between two statements."""
    return bool(row["command"] == "Sleep")


def facts(row: Row) -> dict[str, object]:
    """The session's account, origin and activity, for a title."""
    if not row["id"]:
        undone = sessionless.is_undone(row["state"])
        return {
            "who": sessionless.named(row["trx_id"], undone),
            "command": sessionless.command(undone),
            "modified": int(row["modified"] or 0),
        }
    account = f"{row['user']}@{row['host']}"
    return {
        "who": Text("session {id} ({account})", id=row["id"], account=account),
        "command": f"KILL {row['id']}",
        "modified": int(row["modified"] or 0),
    }


def _without_session(row: Row) -> str:
    kind = "trx" if sessionless.is_undone(row["state"]) else "XA"
    return f"{kind} {row['trx_id']}"


_IDLE = Text("idle")


def drawn(rows: list[Row]) -> Exhibit:
    """The transactions as a table, literals redacted."""
    return Exhibit(
        Text("Open transactions"),
        headings(
            "session", "account", "database", "state", "age s", "in this state s",
            "rows changed", "rows locked", "statement", "a person might run",
        ),
        tuple(
            (
                str(row["id"]) if row["id"] else _without_session(row),
                f"{row['user']}@{row['host']}" if row["user"] else "",
                str(row["db"] or ""),
                _IDLE if is_idle(row) else str(row["command"] or row["state"]),
                str(row["age"]),
                str(row["seconds"] if row["seconds"] is not None else ""),
                str(row["modified"]),
                str(row["locked"]),
                statement(row["query"]),
                str(facts(row)["command"]),
            )
            for row in rows
        ),
        note=OLDEST.format(shown=MOST) if len(rows) == MOST else "",
    )  # fmt: skip
