"""Replication channels of a replica, in one form for every version and flavour.

The statement and its columns were renamed (MySQL 8.0.22 added the new ones, 8.4 dropped the old;
MariaDB keeps the old columns in a statement of its own).
Sources: MySQL 8.4 manual, SHOW REPLICA STATUS; MariaDB, SHOW ALL SLAVES STATUS.
"""

from __future__ import annotations

from dataclasses import dataclass

from probes.model import FailureKind, MemoryKey, ProbeError, Row, Session, Text
from probes.mysql.ask import number, status
from probes.mysql.redact import error_text
from probes.mysql.replication import gtid_sets

RUNNING = "Yes"
DEFAULT_CHANNEL = "default"
"""Name for the channel without a name; an empty label would disappear from a metric."""

_ANSWERS = MemoryKey[bool]("channels were shown on this login")

# one's own sessions are shown without any right
_WAITING = """
SELECT ID AS id FROM information_schema.PROCESSLIST
WHERE INFO = %s AND ID <> connection_id() AND USER = substring_index(current_user(), '@', 1)"""

# Group Replication feeds its own channels and leaves their receiver stopped on purpose.
GROUP_PREFIX = "group_replication_"


@dataclass(frozen=True, slots=True)
class Channel:
    """One replication channel into this server."""

    name: str
    source: str  # host:port of the server it follows
    io_state: str  # Yes, No, Connecting, Preparing: only Yes is running
    sql_state: str
    io_errno: int
    io_error: str
    sql_errno: int
    sql_error: str
    seconds_behind: float | None  # as the server says; None: it does not know
    delay_seconds: float  # intended (MASTER_DELAY / SOURCE_DELAY)
    lag_bytes: int | None  # received but not applied; None when the two lie in different files
    relay_bytes: int
    until: str  # the condition of START ... UNTIL, or ""
    received: str  # position, for people
    applied: str
    source_id: int = 0  # server_id of the source; 0 until the first connection
    gap: int | None = None  # transactions received and not applied; None without GTID
    heartbeats: int = 0  # received on this connection; MySQL tells them elsewhere

    @property
    def io_running(self) -> bool:
        return self.io_state == RUNNING

    @property
    def sql_running(self) -> bool:
        return self.sql_state == RUNNING

    @property
    def stopped_as_told(self) -> bool:
        """Whether the applier stopped, without an error, where START ... UNTIL told it to."""
        return self.sql_state == "No" and bool(self.until) and not self.sql_errno

    @property
    def lag_seconds(self) -> float | None:
        """Beyond the intended delay; None when unknown, which is never 0."""
        if self.seconds_behind is None:
            return None
        return max(0.0, self.seconds_behind - self.delay_seconds)


def statement(flavour: str, version: int) -> str:
    """The statement that returns every channel on this server."""
    if flavour == "mariadb":
        return "SHOW ALL SLAVES STATUS"
    return "SHOW REPLICA STATUS" if version >= 80022 else "SHOW SLAVE STATUS"


def channels(session: Session) -> list[Channel]:
    """Every channel configured here; none on a server that replicates from nobody.

    Raises ``ProbeError``: BLIND without the right to read them, and while an earlier query of ours
    is still waiting.
    """
    question = statement(session.flavour, session.version)
    _not_while_one_waits(session, question)
    rows = session.rows(question)
    found = [channel(row) for row in rows]
    return [each for each in found if not each.name.startswith(GROUP_PREFIX)]


def _not_while_one_waits(session: Session, question: str) -> None:
    """Check, once per login, whether another session of this account waits with the same query.

    A STOP REPLICA that hangs blocks every query about channels, and giving up closes only our end:
    repeated queries would accumulate in the server. Giving up loses the login, so a login that had
    an answer needs no second check.
    """
    if session.shared.login.get(_ANSWERS):
        return
    waiting = session.rows(_WAITING, (question,))
    if waiting:
        raise ProbeError(
            FailureKind.BLIND,
            Text(
                "replication channels cannot be seen: session {id} still waits for the answer to "
                "{question}",
                id=waiting[0]["id"],
                question=question,
            ),
            Text(
                "Look for a STOP REPLICA / STOP SLAVE that hangs (SHOW PROCESSLIST): it waits for "
                "a large transaction or a lock of the applier."
            ),
        )
    session.shared.login.set(_ANSWERS, True)


def connected_replicas(session: Session) -> int:
    """How many replicas read this server's binary log now."""
    if session.flavour == "mariadb":
        return int(number(status(session, "Slaves_connected"), "Slaves_connected") or 0)
    found = session.rows(
        "SELECT count(*) AS replicas FROM performance_schema.threads "
        "WHERE PROCESSLIST_COMMAND IN ('Binlog Dump', 'Binlog Dump GTID')"
    )
    return int(found[0]["replicas"])


def channel(row: Row) -> Channel:
    """One row under old or new column names. Raises ``ProbeError(BLIND)`` on unknown ones."""
    received_file = _text(row, "Master_Log_File", "Source_Log_File")
    applied_file = _text(row, "Relay_Master_Log_File", "Relay_Source_Log_File")
    received_at = _number(row, "Read_Master_Log_Pos", "Read_Source_Log_Pos")
    applied_at = _number(row, "Exec_Master_Log_Pos", "Exec_Source_Log_Pos")
    same_file = received_file == applied_file and received_file != ""
    behind = _pick(row, "Seconds_Behind_Master", "Seconds_Behind_Source")
    until = _until(row)
    return Channel(
        name=_text(row, "Connection_name", "Channel_Name", default="") or DEFAULT_CHANNEL,
        source=(
            f"{_text(row, 'Master_Host', 'Source_Host')}:"
            f"{_number(row, 'Master_Port', 'Source_Port')}"
        ),
        io_state=_text(row, "Slave_IO_Running", "Replica_IO_Running"),
        sql_state=_text(row, "Slave_SQL_Running", "Replica_SQL_Running"),
        io_errno=_number(row, "Last_IO_Errno"),
        io_error=error_text(_text(row, "Last_IO_Error")),
        sql_errno=_number(row, "Last_SQL_Errno"),
        sql_error=error_text(_text(row, "Last_SQL_Error")),
        seconds_behind=None if behind is None else float(str(behind)),
        delay_seconds=float(_number(row, "SQL_Delay", default=0)),
        lag_bytes=max(0, received_at - applied_at) if same_file else None,
        relay_bytes=_relay_bytes(row),
        until=until,
        received=_position(
            received_file, received_at, _text(row, "Gtid_IO_Pos", "Retrieved_Gtid_Set", default="")
        ),
        applied=_position(
            applied_file, applied_at, _text(row, "Gtid_Slave_Pos", "Executed_Gtid_Set", default="")
        ),
        source_id=_number(row, "Master_Server_Id", "Source_Server_Id", default=0),
        gap=gap(row),
        heartbeats=_number(row, "Slave_received_heartbeats", default=0),
    )


def _relay_bytes(row: Row) -> int:
    """A relay log that is removed while it is still written is subtracted with more than was
    counted. The unsigned sum is then briefly a little below zero, which the server shows as 18 EB.
    """
    space = _number(row, "Relay_Log_Space")
    return space if space < 2**63 else 0


def _until(row: Row) -> str:
    """The condition of START ... UNTIL, or "" if there is none or it cannot be why the applier
    stopped.

    It stays in the status after a STOP REPLICA. For a position it is known whether it was reached;
    for a set of transaction ids the status does not show it.
    """
    until = _text(row, "Until_Condition", default="")
    if until in {"Master", "Source"}:
        applied = (
            _text(row, "Relay_Master_Log_File", "Relay_Source_Log_File"),
            _number(row, "Exec_Master_Log_Pos", "Exec_Source_Log_Pos"),
        )
    elif until == "Relay":
        applied = (_text(row, "Relay_Log_File"), _number(row, "Relay_Log_Pos"))
    else:
        return "" if until == "None" else until
    told = (_text(row, "Until_Log_File", default=""), _number(row, "Until_Log_Pos", default=0))
    return until if _log_number(applied) >= _log_number(told) else ""


def _log_number(position: tuple[str, int]) -> tuple[int, int]:
    """A log's sequence number (its name gets longer after 999999), and the position in it."""
    number = position[0].rpartition(".")[2]
    return int(number) if number.isdigit() else 0, position[1]


def gap(row: Row) -> int | None:
    """Transactions received and not applied, by their ids; ``None`` where none are used."""
    if "Using_Gtid" in row:
        received = gtid_sets.domains(_text(row, "Gtid_IO_Pos", default=""))
        applied = gtid_sets.domains(_text(row, "Gtid_Slave_Pos", default=""))
        return None if row["Using_Gtid"] == "No" else gtid_sets.behind(received, applied)
    retrieved = _text(row, "Retrieved_Gtid_Set", default="")
    if not retrieved:
        return None
    return gtid_sets.missing(retrieved, _text(row, "Executed_Gtid_Set", default=""))


_MISSING = object()
_ONE_OF = Text("{first} or {second}")


def _pick(row: Row, *names: str, default: object = _MISSING) -> object:
    for name in names:
        if name in row:
            return row[name]
    if default is not _MISSING:
        return default
    raise ProbeError(
        FailureKind.BLIND,
        Text(
            "the replication status of this server has no column {names}",
            names=_ONE_OF.format(first=names[0], second=names[1]) if names[1:] else names[0],
        ),
        Text("This server version renamed the column: report the version so that Sigap adapts."),
    )


def _text(row: Row, *names: str, default: object = _MISSING) -> str:
    value = _pick(row, *names, default=default)
    return "" if value is None else str(value)


def _number(row: Row, *names: str, default: object = _MISSING) -> int:
    return int(str(_pick(row, *names, default=default) or 0))


def _position(file: str, at: int, gtid: str) -> str:
    place = f"{file}:{at}" if file else ""
    return " ".join(each for each in (place, gtid.replace("\n", "")) if each)
