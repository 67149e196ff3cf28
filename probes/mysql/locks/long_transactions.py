"""The transaction that has been open longest.

An old transaction, even one that only reads, keeps every old version of every row from being
purged, holds metadata locks that stop the next ALTER and all sessions behind it, and takes as long
to roll back as it took. The oldest is named with its session; see ``open_transactions``.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.grants import TRANSACTIONS
from probes.mysql.locks import sessionless
from probes.mysql.locks.open_transactions import drawn, facts, oldest


def read(session: Session) -> Iterator[Measurement]:
    """How long the oldest transaction has been open; 0 if there is none."""
    rows = oldest(session)
    prepared = next((row for row in rows if sessionless.is_prepared(row["state"])), None)
    yield Measurement(
        "oldest_prepared_seconds",
        max(0.0, float(prepared["age"] or 0)) if prepared else 0.0,
        detail=facts(prepared) if prepared else {},
    )
    if not rows:
        yield Measurement("longest_transaction_seconds", 0.0)
        return
    age = max(0.0, float(rows[0]["age"] or 0))
    yield Measurement("longest_transaction_seconds", age, detail=facts(rows[0]))


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The oldest open transactions."""
    yield drawn(oldest(session))


PROBE = Probe(
    name="long_transactions",
    engine="mysql",
    question=Text("Which transaction has been open longest?"),
    measures=(
        Measure("longest_transaction_seconds", "seconds", "Age of the oldest open transaction"),
        Measure(
            "oldest_prepared_seconds",
            "seconds",
            "Age of the oldest XA transaction without a session",
        ),
    ),
    thresholds=(
        Threshold(
            measure="longest_transaction_seconds",
            title=Text(
                "{target}: {who} has had a transaction open for {value}, {modified} rows changed"
            ),
            headline=Text("{target}: {who} keeps a transaction open"),
            hint=Text(
                "Dumps and reports do take long: ask the owner. If agreed, a person runs: "
                "`{command}`; rolling back may take as long as the transaction did."
            ),
            family="locks",
            # A dump of a large database takes hours and is no fault; half a day is never planned.
            warning=4 * 3600.0,
            critical=12 * 3600.0,
        ),
        Threshold(
            measure="oldest_prepared_seconds",
            title=Text("{target}: {who} has been left for {value}"),
            headline=Text("{target}: {who} has been left behind"),
            hint=Text(
                "It holds its locks, over a restart too. Ask the application's transaction manager "
                "which way it goes; then a person runs `XA RECOVER` and `XA COMMIT` or "
                "`XA ROLLBACK`."
            ),
            family="locks",
            # As PostgreSQL's: a manager finishes within seconds; minutes mean that it has crashed.
            warning=60.0,
            critical=900.0,
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=TRANSACTIONS,
    runbook=Text(
        "1. Whose session, from where? 2. Working or idle? Idle: idle_in_transaction. 3. Does "
        "history_list grow? 4. KILL by a person, once it is known how many rows are undone."
    ),
)
