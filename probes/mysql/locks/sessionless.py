"""InnoDB transactions without a session: prepared (XA) or being rolled back after a crash.

A prepared one waits for COMMIT or ROLLBACK; the other is undone by InnoDB itself, which takes hours
for a large one. XA ROLLBACK ends only the first kind. INNODB_TRX calls both RUNNING until the
rollback begins; the report of SHOW ENGINE INNODB STATUS distinguishes them ("ACTIVE (PREPARED)",
"recovered trx") and is read only when needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from probes.model import Row, Session, Text

REPORT = "SHOW ENGINE INNODB STATUS"
_ROLLING_BACK = "ROLLING BACK"
_PREPARED = "PREPARED"
_LISTED = re.compile(r"^---TRANSACTION (\d+), ACTIVE( \(PREPARED\))?(.*)$", re.M)


def is_undone(state: object) -> bool:
    """Whether InnoDB is rolling this transaction back by itself, by its ``trx_state``."""
    return state == _ROLLING_BACK


def is_prepared(state: object) -> bool:
    """Whether it is known to be prepared, by the state that ``told_apart`` set."""
    return state == _PREPARED


def told_apart(session: Session, rows: Sequence[Row], state: str) -> list[Row]:
    """``rows`` of transactions (id, trx_id), with the state of those without a session filled in.

    ``state``: the column that has ``trx_state`` in these rows. An unknown state stays as it is.
    """
    if all(row["id"] or is_undone(row[state]) for row in rows):
        return list(rows)
    known: dict[str, str] = {}
    for report in session.rows(REPORT):
        known |= _states(str(report["Status"]))
    return [
        row if row["id"] else {**row, state: known.get(str(row["trx_id"]), row[state])}
        for row in rows
    ]


def _states(report: str) -> dict[str, str]:
    """The state of each prepared or recovered transaction; a long report leaves some out."""
    found = {}
    for number, prepared, rest in _LISTED.findall(report):
        if prepared:
            found[number] = _PREPARED
        elif "recovered trx" in rest:
            found[number] = _ROLLING_BACK
    return found


def named(transaction: object, undone: bool) -> Text:
    """The transaction in words."""
    if undone:
        return Text(
            "transaction {transaction}, cut off by a crash and being rolled back by InnoDB",
            transaction=transaction,
        )
    return Text(
        "XA transaction {transaction}, prepared and without a session", transaction=transaction
    )


def command(undone: bool) -> str:
    """The command a person may run: a rollback cannot be ended, but its undo log entries can be
    watched.
    """
    return REPORT if undone else "XA RECOVER; XA ROLLBACK '…'"
