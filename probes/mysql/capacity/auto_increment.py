"""AUTO_INCREMENT columns that run out of numbers.

At the end every INSERT into the table fails, and widening the column of a big table takes hours.
The counters are read from InnoDB's dictionary with PROCESS alone, without rights on user data.
MySQL 8 and later take each table's metadata lock for it and wait behind an ALTER TABLE; the last
answer is then kept, so that a waiting DDL does not blind the other probes of the round. Only tables
used since the server started are listed, which includes all that are being filled. The column is
inferred: an integer that begins an index (InnoDB requires that), preferably one that is later in
the primary key, else the primary key's first.
Sources: INFORMATION_SCHEMA INNODB_[SYS_]TABLESTATS.AUTOINC, _COLUMNS, _INDEXES, _FIELDS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probes.i18n.headings import headings
from probes.model import (
    Exhibit,
    FailureKind,
    Measure,
    Measurement,
    MemoryKey,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.mysql.grants import PROCESS
from probes.words import failure_text
from probes.words.units import written

_TABLES = 1000  # of the highest counters: a small counter can only fill a small column
_SUBJECTS = 20
_WORTH_NAMING = 0.5
_COUNTERS = """
SELECT TABLE_ID AS id, NAME AS name, AUTOINC AS next
FROM information_schema.INNODB_{sys}TABLESTATS
WHERE AUTOINC > 100 ORDER BY AUTOINC DESC LIMIT %s"""
# MTYPE 6 is an integer; its length and the sign bit of PRTYPE say how far it goes
_COLUMNS = """
SELECT TABLE_ID AS id, NAME AS name, LEN AS bytes, (PRTYPE & 512) <> 0 AS is_unsigned
FROM information_schema.INNODB_{sys}COLUMNS WHERE MTYPE = 6 AND TABLE_ID IN %s"""
_FIELDS = """
SELECT i.TABLE_ID AS id, f.NAME AS name, (i.TYPE & 1) = 1 AS is_primary, f.POS AS pos
FROM information_schema.INNODB_{sys}INDEXES i
JOIN information_schema.INNODB_{sys}FIELDS f ON CAST(f.INDEX_ID AS CHAR) = CAST(i.INDEX_ID AS CHAR)
WHERE (f.POS = 0 OR (i.TYPE & 1) = 1) AND i.TABLE_ID IN %s"""

_LOCKED = Text(
    "A table's metadata lock is in the way of InnoDB's dictionary; see blocked_sessions."
)


@dataclass(frozen=True, slots=True)
class Counter:
    """One table's counter and the column it fills."""

    table: str  # schema.table
    column: str
    next: int
    most: int  # the highest number the column takes

    @property
    def used(self) -> float:
        return min(1.0, self.next / self.most)


def highest(length: int, is_unsigned: bool) -> int:
    """The highest number of an integer with that many bytes."""
    return int(2 ** (8 * length - (0 if is_unsigned else 1)) - 1)


def read(session: Session) -> Iterator[Measurement]:
    """The fullest column, and every one that is more than half full."""
    found = _known(session)
    worst = found[0] if found else None
    yield Measurement(
        "auto_increment_worst_ratio",
        worst.used if worst else 0.0,
        detail={"table": worst.table, "column": worst.column} if worst else {},
    )
    for each in found[:_SUBJECTS]:
        if each.used >= _WORTH_NAMING:
            yield Measurement(
                "auto_increment_used_ratio",
                each.used,
                each.table,
                {"column": each.column, "left": f"{max(0, each.most - each.next):,}"},
            )


_LAST = MemoryKey[list[Counter]]("the counters as last read")


def _known(session: Session) -> list[Counter]:
    """The counters now, or the last known ones while another session's lock blocks the query.

    Raises ``ProbeError(BLIND)`` if there are none.
    """
    try:
        found = counters(session)
    except ProbeError as error:
        if not error.waited_for_lock:
            raise
        known = session.memory.get(_LAST)
        if known is None:
            raise ProbeError(
                FailureKind.BLIND, failure_text.words(error.failure), _LOCKED
            ) from error
        found = known
    return session.memory.set(_LAST, found)


def counters(session: Session) -> list[Counter]:
    """Every counter that could be determined, the fullest first."""
    mark = {"sys": "SYS_" if session.flavour == "mariadb" or session.version < 80000 else ""}
    tables = session.rows(_COUNTERS.format(**mark), (_TABLES,))
    if not tables:
        return []
    ids = [int(row["id"]) for row in tables]
    columns = session.rows(_COLUMNS.format(**mark), (ids,))
    fields = session.rows(_FIELDS.format(**mark), (ids,))
    return told(tables, columns, fields)


def told(tables: Iterable[Row], columns: Iterable[Row], fields: Iterable[Row]) -> list[Counter]:
    """The dictionary's rows combined; pure."""
    fields = list(fields)
    sizes = {
        (int(row["id"]), _name(row["name"])): highest(int(row["bytes"]), bool(row["is_unsigned"]))
        for row in columns
    }
    later = {(int(row["id"]), _name(row["name"])) for row in fields if row["pos"]}
    begin: dict[int, list[tuple[int, str]]] = {}
    for row in fields:
        table, name = int(row["id"]), _name(row["name"])
        if not row["pos"]:
            # PRIMARY KEY (region, id), KEY (id): that second index is there for the counter alone
            rank = 0 if (table, name) in later else 1 if row["is_primary"] else 2
            begin.setdefault(table, []).append((rank, name))
    found = []
    for row in tables:
        table = int(row["id"])
        candidates = [
            (name, sizes[table, name])
            for _, name in sorted(begin.get(table, []))
            # a column the counter has outgrown cannot be the one it fills
            if (table, name) in sizes and sizes[table, name] + 1 >= int(row["next"])
        ]
        if candidates:
            name, most = candidates[0]
            shown = _name(row["name"]).replace("/", ".", 1)
            found.append(Counter(shown, name, int(row["next"]), most))
    return sorted(found, key=lambda each: (-each.used, each.table))


def _name(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The fullest counters."""
    yield Exhibit(
        Text("The fullest AUTO_INCREMENT columns"),
        headings("table", "column", "next", "highest", "used"),
        tuple(
            (each.table, each.column, str(each.next), str(each.most), written(each.used, "ratio"))
            for each in counters(session)[:_SUBJECTS]
        ),
    )


PROBE = Probe(
    name="auto_increment",
    engine="mysql",
    question=Text("Which AUTO_INCREMENT column runs out of numbers?"),
    measures=(
        Measure(
            "auto_increment_worst_ratio", "ratio", "Share of numbers used by the fullest column"
        ),
        Measure(
            "auto_increment_used_ratio",
            "ratio",
            "Share of numbers used, for columns more than half full",
            "table",
        ),
    ),
    thresholds=(
        Threshold(
            measure="auto_increment_used_ratio",
            title=Text("{target}: {subject}.{column} has used {value} of its numbers, {left} left"),
            headline=Text("{target}: {subject}.{column} is running out of numbers"),
            hint=Text(
                "Plan to widen the column to BIGINT UNSIGNED now, outside busy hours; and see why "
                "numbers are skipped (failed INSERTs, REPLACE)."
            ),
            family="capacity",
            # 85 and 95 %, as check_postgres' sequences: weeks, then days at most growths
            warning=0.85,
            critical=0.95,
        ),
    ),
    read=read,
    every=3600.0,
    exhibits=exhibits,
    grants=PROCESS,
    runbook=Text(
        "1. Rows a day, so how many days left? 2. How long does the ALTER take (try on a copy)? "
        "3. Widen the foreign keys too. 4. Emergency: start again in an empty range."
    ),
)
