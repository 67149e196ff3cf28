"""Throughput of the pooler, and average transaction time.

PgBouncer computes these averages itself, over its last stats_period (60 s). They are for graphs and
have no threshold. ``avg_wait_time`` is left out: it is a share of time in older versions and a wait
in newer ones, and ``pools`` reports waits. Source: PgBouncer manual, "SHOW STATS".
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text
from probes.pgbouncer import ask

_MICROSECONDS = 1e-6
_AVERAGES = {
    "database_transactions_per_second": ("avg_xact_count", 1.0),
    "database_queries_per_second": ("avg_query_count", 1.0),
    "database_transaction_seconds": ("avg_xact_time", _MICROSECONDS),
    "database_received_bytes_per_second": ("avg_recv", 1.0),
    "database_sent_bytes_per_second": ("avg_sent", 1.0),
}


def read(session: Session) -> Iterable[Measurement]:
    """The averages of every database that had a client."""
    for row in ask.shown(session, "STATS"):
        if row["database"] == ask.CONSOLE:
            continue
        for measure, (column, unit) in _AVERAGES.items():
            average = ask.number(row, column)
            if average is not None:
                yield Measurement(measure, average * unit, str(row["database"]))


PROBE = Probe(
    name="traffic",
    engine="pgbouncer",
    question=Text(
        "How much goes through the pooler, and how long does a transaction take on average?"
    ),
    measures=(
        Measure("database_transactions_per_second", "", "Transactions per second.", "database"),
        Measure("database_queries_per_second", "", "Queries per second.", "database"),
        Measure(
            "database_transaction_seconds", "seconds", "Average time of a transaction.", "database"
        ),
        Measure("database_received_bytes_per_second", "", "Bytes from clients.", "database"),
        Measure("database_sent_bytes_per_second", "", "Bytes to clients.", "database"),
    ),
    thresholds=(),
    read=read,
    every=60.0,
)
