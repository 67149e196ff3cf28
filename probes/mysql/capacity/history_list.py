"""Old row versions that wait to be purged, and the transaction that keeps them.

Reads slow down as they skip old versions, and the undo space grows; the cause is nearly always one
forgotten transaction, so the oldest is named.
Sources: INNODB_METRICS trx_rseg_history_len (both flavours), status Innodb_history_list_length.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.formats import duration
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import number, status
from probes.mysql.grants import TRANSACTIONS
from probes.mysql.locks.open_transactions import drawn, facts, oldest

_METRIC = (
    "SELECT COUNT AS found FROM information_schema.INNODB_METRICS "
    "WHERE NAME = 'trx_rseg_history_len'"
)


def read(session: Session) -> Iterator[Measurement]:
    """Transactions not purged yet."""
    length = number(status(session, "Innodb_history_list_length"), "Innodb_history_list_length")
    if length is None:
        rows = session.rows(_METRIC)
        if not rows:
            return
        length = float(rows[0]["found"])
    rows = oldest(session)[:1] if length else []
    keeper = Text("")
    for row in rows:
        keeper = Text(
            "; the oldest: {who}, {age}",
            who=facts(row)["who"],
            age=duration(float(row["age"] or 0)),
        )
    yield Measurement("history_list_length", length, detail={"keeper": keeper})


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The oldest open transactions, one of which keeps the history."""
    yield drawn(oldest(session))


PROBE = Probe(
    name="history_list",
    engine="mysql",
    question=Text("How many old versions wait to be purged, and who keeps them?"),
    measures=(
        Measure("history_list_length", "", "Transactions whose old row versions are not purged"),
    ),
    thresholds=(
        Threshold(
            measure="history_list_length",
            title=Text("{target}: {value} old transactions are not purged (history list){keeper}"),
            headline=Text("{target}: old transactions are not purged (history list)"),
            hint=Text(
                "End that oldest transaction; if there is none, purge is too slow: disk or "
                "innodb_purge_threads."
            ),
            family="vacuum",
            # 50,000 is the common warning; a big batch exceeds it for minutes and is no
            # fault, so it must last. Ten million is hours of purge and gigabytes of undo.
            warning=50_000.0,
            critical=10_000_000.0,
            raise_after=10,
            clear_margin=0.2,
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    grants=TRANSACTIONS,
    runbook=Text(
        "1. long_transactions and idle_in_transaction: who is oldest? 2. A backup running? 3. "
        "The undo volume: volumes. 4. Afterwards the length must fall by itself."
    ),
)
