"""How often do transactions deadlock?

The server breaks a deadlock by itself after deadlock_timeout, so each costs one transaction and a
wait. The figures are a rate per database; who was involved stands only in the server log, which
no monitoring right opens. Source: PostgreSQL manual, pg_stat_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.rates import growth

_DEADLOCKS = """
select extract(epoch from clock_timestamp())::float8 as now, datname::text as database,
       deadlocks::float8 as deadlocks
from pg_stat_database where datname is not null
"""


def read(session: Session) -> Iterable[Measurement]:
    """Deadlocks a minute since the reading before; nothing at the first."""
    rows = session.rows(_DEADLOCKS)
    counted = {str(row["database"]): float(row["deadlocks"]) for row in rows}
    grown = growth(session.memory, rows[0]["now"], counted)
    if grown is None:
        return
    total = sum(grown.by.values())
    worst = max(grown.by, key=lambda name: grown.by[name])
    detail = {"database": worst, "count": int(total)}
    yield Measurement("deadlocks_per_minute", 60 * total / grown.seconds, detail=detail)


PROBE = Probe(
    name="deadlocks",
    engine="postgresql",
    question=Text(
        "Seberapa sering transaksi saling mengunci?", "How often do transactions deadlock?"
    ),
    measures=(Measure("deadlocks_per_minute", "", "Deadlocks broken by the server, per minute."),),
    thresholds=(
        Threshold(
            "deadlocks_per_minute",
            Text(
                "{target}: {value} deadlock per menit, terbanyak di basis data {database}",
                "{target}: {value} {value:deadlock|deadlocks} a minute, most in database "
                "{database}",
            ),
            Text(
                "Log server menyebut kedua sesi dan pernyataannya (deadlock detected). Minta "
                "pengembang mengunci baris dalam urutan yang sama.",
                "The server log names both sessions and their statements (deadlock detected). "
                "Have the developers lock rows in one order.",
            ),
            "locks",
            # One now and then is an application's business; more than five a minute is common
            # practice's alarm, one each second is an outage of whoever retries.
            warning=5.0,
            critical=60.0,
            headline=Text(
                "{target}: deadlock berulang, terbanyak di basis data {database}",
                "{target}: deadlocks keep coming, most in database {database}",
            ),
        ),
    ),
    read=read,
    every=60.0,
    runbook=Text(
        "1. Baca deadlock detected di log server: kedua pernyataan dan tabelnya. 2. Cari rilis "
        "aplikasi atau pekerjaan massal yang baru. 3. Jadwalkan ulang pekerjaan yang berbenturan. "
        "4. Perbaiki urutan penguncian di aplikasi.",
        "1. Read deadlock detected in the server log: both statements and their tables. 2. Look "
        "for a new release or bulk job. 3. Reschedule the jobs that collide. 4. Mend the order "
        "of locking in the application.",
    ),
)
