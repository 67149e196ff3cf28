"""Sessions that are idle inside an open transaction.

Such a session keeps its row and metadata locks while it does nothing; it is the usual root of a
lock queue. Only sessions that sleep inside a transaction count, and the time is how long they have
slept, not how old the transaction is; see ``open_transactions``.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.formats import duration
from probes.model import Exhibit, Measure, Measurement, Probe, Row, Session, Text, Threshold
from probes.mysql.grants import TRANSACTIONS
from probes.mysql.locks.open_transactions import drawn, facts, is_idle, oldest


def read(session: Session) -> Iterator[Measurement]:
    """How many sessions are idle in a transaction, and for how long the longest."""
    idle = sleepers(oldest(session))
    if not idle:
        yield Measurement("idle_in_transaction_sessions", 0.0)
        yield Measurement("idle_in_transaction_seconds", 0.0)
        return
    worst = idle[0]
    detail = facts(worst) | {"since": duration(float(worst["age"] or 0)), "sessions": len(idle)}
    yield Measurement("idle_in_transaction_sessions", float(len(idle)), detail=detail)
    slept = max(0.0, float(worst["seconds"] or 0))
    yield Measurement("idle_in_transaction_seconds", slept, detail=detail)


def sleepers(rows: list[Row]) -> list[Row]:
    """The idle sessions, the longest first."""
    return sorted(filter(is_idle, rows), key=lambda row: -float(row["seconds"] or 0))


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The sessions, and the command that ends each."""
    yield drawn(sleepers(oldest(session)))


PROBE = Probe(
    name="idle_in_transaction",
    engine="mysql",
    question=Text("Which session has left its transaction open?"),
    measures=(
        Measure("idle_in_transaction_sessions", "", "Sessions idle inside a transaction"),
        Measure("idle_in_transaction_seconds", "seconds", "How long the longest has been idle"),
    ),
    thresholds=(
        Threshold(
            measure="idle_in_transaction_seconds",
            title=Text(
                "{target}: {who} has been idle in a transaction for {value}, {modified} rows "
                "changed"
            ),
            headline=Text("{target}: {who} is idle in a transaction"),
            hint=Text("Reach the application's owner. If agreed, a person runs: `{command}`."),
            family="locks",
            # 5 and 15 minutes are common practice. blocked_sessions reports blocked users
            # at once; idling alone does harm slowly and so opens an incident only late.
            warning=300.0,
            critical=3600.0,
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    grants=TRANSACTIONS,
    runbook=Text(
        "1. Which application, from where (evidence). 2. Holding others? See blocked_sessions. "
        "3. Have its owner end the transaction. 4. MariaDB: idle_transaction_timeout; MySQL: the "
        "limit in the application's connection pool."
    ),
)
