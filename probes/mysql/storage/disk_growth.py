"""What fills the volumes of MySQL or MariaDB: binary and relay logs, undo, temporary files, a
schema.

Sizes come from SHOW BINARY LOGS, the channels' Relay_Log_Space and InnoDB's list of tablespaces
(INFORMATION_SCHEMA.INNODB_TABLESPACES, in MariaDB and 5.7 INNODB_SYS_TABLESPACES), never from
I_S.TABLES, which opens every table. Queries that scan files or wait for the binary log's lock have
their own session and a second each.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from probes.local.growth import (
    FILLED_BY,
    MEASURES,
    Use,
    fillings,
    measurements,
    room_on,
    speeds,
    table,
    watch,
)
from probes.model import (
    Exhibit,
    FailureKind,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
)
from probes.mysql.ask import is_on, variables
from probes.mysql.grants import BINLOGS, CHANNELS, PROCESS
from probes.mysql.replication.channels import channels
from probes.wire import deadline

FILES_DUE = MemoryKey[float]("when the files are sized again")
FILE_SIZES = MemoryKey[dict[str, float]]("sizes of InnoDB's files, by consumer")

ASK_SECONDS = 1.0
FILES_EVERY_SECONDS = 300.0
SLOW_FILES_EVERY_SECONDS = 3600.0
_SLOW_SECONDS = 0.5

_NOW = "SELECT UNIX_TIMESTAMP(NOW(6)) AS now_seconds"

# One row a kind of file: undo, temporary, shared, or the schema in front of the slash.
_FILES = """
SELECT CASE WHEN name LIKE '%/%' THEN SUBSTRING_INDEX(name, '/', 1) ELSE name END AS owner,
       SUM(file_size) AS bytes
FROM information_schema.{table} GROUP BY 1
"""


def read(session: Session) -> Iterator[Measurement]:
    """The size and growth of each consumer; raises ``ProbeError(BLIND)`` without the rights."""
    now = float(str(session.rows(_NOW)[0]["now_seconds"]))
    memory = session.memory
    uses = list(_logs(session))
    fresh = uses + _files(session, now)
    watch(memory, now, {use.consumer: use.bytes for use in fresh})
    growth = speeds(memory)
    uses += known_files(memory)
    rooms = room_on(session, (use.place for use in uses))
    yield from measurements(uses, growth, fillings(uses, growth, rooms))


def _logs(session: Session) -> Iterator[Use]:
    """Binary and relay logs."""
    found = variables(session, "log_bin")
    if is_on(found, "log_bin"):
        rows = _aside(session, "SHOW BINARY LOGS")
        if rows is not None:
            total = float(sum(int(row["File_size"]) for row in rows))
            words = Text("the binary log (files: {count})", count=len(rows))
            yield Use("binlog", total, "binlog", words)
    for channel in channels(session):
        words = Text(
            "the relay log of channel {name} (applier: {state})",
            name=channel.name,
            state=channel.sql_state,
        )
        yield Use(f"relay:{channel.name}", float(channel.relay_bytes), "relay", words)


def _aside(session: Session, sql: str) -> list[Row] | None:
    """The answer from a separate session; None when it did not come within a second.

    A commit that hangs on a full disk holds the lock SHOW BINARY LOGS waits for.
    """
    try:
        with deadline.within(ASK_SECONDS), session.fresh() as own:
            return own.rows(sql)
    except ProbeError as error:
        if error.failure.kind is not FailureKind.TIMEOUT:
            raise
        return None


def _files(session: Session, now: float) -> list[Use]:
    """InnoDB's files by owner; scans each file, so it runs rarely and is empty in between."""
    due = session.memory.get(FILES_DUE) or 0.0
    if now < due <= now + SLOW_FILES_EVERY_SECONDS:
        return []
    started = time.monotonic()
    rows = _aside(session, _FILES.format(table=_table(session)))
    slow = rows is None or time.monotonic() - started > _SLOW_SECONDS
    every = SLOW_FILES_EVERY_SECONDS if slow else FILES_EVERY_SECONDS
    session.memory.set(FILES_DUE, now + every)
    if rows is None:
        return []
    session.memory.set(FILE_SIZES, sized(rows))
    return known_files(session.memory)


def _table(session: Session) -> str:
    old = session.flavour == "mariadb" or session.version < 80000
    return "INNODB_SYS_TABLESPACES" if old else "INNODB_TABLESPACES"


def sized(rows: Iterable[Row]) -> dict[str, float]:
    """Consumer -> bytes: undo, temp, system, or schema:NAME."""
    found: dict[str, float] = {}
    for row in rows:
        consumer = _consumer(str(row["owner"]))
        found[consumer] = found.get(consumer, 0.0) + float(row["bytes"] or 0)
    return found


def _consumer(owner: str) -> str:
    if owner.startswith("innodb_undo"):
        return "undo"
    if owner.startswith("innodb_temporary"):
        return "temp"
    if owner.startswith("innodb_system"):
        return "system"
    return f"schema:{owner}"


_WORDS = {
    "undo": (Text("InnoDB undo (old transactions)"), "undo"),
    "temp": (Text("InnoDB temporary tables"), "data"),
    "system": (Text("ibdata (InnoDB's shared space)"), "data"),
}


def known_files(memory: Memory) -> list[Use]:
    """InnoDB's files with their last known sizes."""
    uses = []
    for consumer, size in (memory.get(FILE_SIZES) or {}).items():
        schema = Text("schema {name}", name=consumer.removeprefix("schema:"))
        words, place = _WORDS.get(consumer, (schema, "data"))
        uses.append(Use(consumer, float(size), place, words))
    return uses


def exhibits(session: Session) -> Iterator[Exhibit]:
    """Every consumer with its size and growth; InnoDB's files with their last known sizes."""
    yield table([*_logs(session), *known_files(session.memory)], speeds(session.memory))


PROBE = Probe(
    name="disk_growth",
    engine="mysql",
    question=Text(
        "Who fills the disk: binlogs, relay logs, undo, temporary files, or which schema?"
    ),
    measures=MEASURES,
    thresholds=(FILLED_BY,),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=(*PROCESS, *BINLOGS, *CHANNELS),
    runbook=Text(
        "1. Binlogs: how long they are kept and which replica still needs them; `PURGE BINARY "
        "LOGS` by a person. 2. Relay logs: has the applier stopped? 3. Undo: the oldest "
        "transaction. 4. A schema: its largest tables. 5. Enlarge the volume."
    ),
)
