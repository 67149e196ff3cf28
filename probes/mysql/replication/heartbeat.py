"""The heartbeat table ``sigap.heartbeat``, the only table Sigap may write to (opt-in).

One row for each server that takes writes: when it last wrote, and which transactions it had then.
Replication carries the row, so a replica shows how old its data is and which of its own
transactions the primary never had, without a session to the primary. Values are written as
literals, because statement-based replication would compute expressions again on the replica.
"""

from __future__ import annotations

from dataclasses import dataclass

from probes.model import FailureKind, Grant, ProbeError, Session, Text

_WHY = Text(
    "optional: the table of the write canary, whose row is the heartbeat replicas are judged by"
)
_LINES = (
    "CREATE DATABASE IF NOT EXISTS sigap",
    "CREATE TABLE IF NOT EXISTS sigap.heartbeat (server_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, "
    "server_uuid VARCHAR(64) NOT NULL, written DATETIME(6) NOT NULL, gtid MEDIUMTEXT NOT NULL) "
    "ENGINE=InnoDB",
    "GRANT SELECT, INSERT, UPDATE ON sigap.heartbeat TO {user}",
)
CANARY: tuple[Grant, ...] = tuple(
    Grant(line, flavour, _WHY) for flavour in ("mysql", "mariadb") for line in _LINES
)
LONGEST_GTID = 60_000
"""A longer set is not written: the row must stay small."""

_SELF = {
    "mysql": "SELECT @@server_id AS id, @@server_uuid AS uuid, @@global.gtid_executed AS gtid, "
    "utc_timestamp(6) AS now",
    "mariadb": "SELECT @@server_id AS id, '' AS uuid, @@global.gtid_binlog_state AS gtid, "
    "utc_timestamp(6) AS now",
}
_ROWS = """
SELECT server_id, server_uuid, gtid,
       timestampdiff(MICROSECOND, written, utc_timestamp(6)) / 1000000 AS age
FROM sigap.heartbeat ORDER BY written DESC LIMIT 100"""
_WRITE = """
INSERT INTO sigap.heartbeat (server_id, server_uuid, written, gtid) VALUES (%s, %s, %s, %s)
ON DUPLICATE KEY UPDATE server_uuid = VALUES(server_uuid), written = VALUES(written),
                        gtid = VALUES(gtid)"""


@dataclass(frozen=True, slots=True)
class Beat:
    """One server's row, as this server has it."""

    server_id: int
    server_uuid: str
    age_seconds: float
    gtid: str


@dataclass(frozen=True, slots=True)
class Itself:
    """This server's ids and transactions."""

    server_id: int
    server_uuid: str
    gtid: str  # executed set (MySQL), binlog state (MariaDB)
    now: object


def itself(session: Session) -> Itself:
    """This server's id, uuid and transactions."""
    row = session.rows(_SELF[session.flavour])[0]
    gtid = str(row["gtid"] or "").replace("\n", "")
    return Itself(int(row["id"]), str(row["uuid"] or ""), gtid, row["now"])


def beats(session: Session) -> list[Beat] | None:
    """Every row, the newest first; ``None`` if the table does not exist."""
    try:
        rows = session.rows(_ROWS)
    except ProbeError as error:
        if error.failure.kind is FailureKind.BLIND:
            return None
        raise
    return [
        Beat(int(row["server_id"]), str(row["server_uuid"]), float(row["age"]), str(row["gtid"]))
        for row in rows
    ]


def write(session: Session, me: Itself) -> None:
    """Commit this server's row. Raises ``ProbeError`` with the server's reason."""
    gtid = me.gtid if len(me.gtid) <= LONGEST_GTID else ""
    session.rows(_WRITE, (me.server_id, me.server_uuid, me.now, gtid))
