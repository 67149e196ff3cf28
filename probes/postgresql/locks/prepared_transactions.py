"""Prepared transactions that nobody finished.

A prepared transaction survives its session and every restart, keeps its locks, prevents VACUUM from
removing rows, and is in no list of sessions. Source: PostgreSQL manual, pg_prepared_xacts.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.words.tables import exhibit

_PREPARED = """
select gid, owner::text as account, database::text as database, prepared::text as since,
       extract(epoch from clock_timestamp() - prepared)::float8 as age_seconds,
       count(*) over () as transactions
from pg_prepared_xacts order by prepared limit 50
"""


def read(session: Session) -> Iterable[Measurement]:
    """How many there are and the age of the oldest; needs no right."""
    rows = session.rows(_PREPARED)
    if not rows:
        yield Measurement("prepared_transactions", 0.0)
        yield Measurement("oldest_prepared_seconds", 0.0)
        return
    oldest = rows[0]
    detail = {
        "gid": oldest["gid"],
        "quoted": str(oldest["gid"]).replace("'", "''"),
        "user": oldest["account"],
        "database": oldest["database"],
    }
    yield Measurement("prepared_transactions", float(oldest["transactions"]), detail=detail)
    yield Measurement("oldest_prepared_seconds", max(0.0, oldest["age_seconds"]), detail=detail)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The list, oldest first."""
    yield exhibit(Text("Prepared transactions"), session.rows(_PREPARED))


PROBE = Probe(
    name="prepared_transactions",
    engine="postgresql",
    question=Text("Is a prepared transaction left over?"),
    measures=(
        Measure("prepared_transactions", "", "Prepared transactions that are not finished."),
        Measure("oldest_prepared_seconds", "seconds", "Age of the oldest of them."),
    ),
    thresholds=(
        Threshold(
            "oldest_prepared_seconds",
            Text("{target}: prepared transaction '{gid}' of {user} has been left for {value}"),
            Text(
                "Ask the application's transaction manager (XA) which way it goes; then in "
                "database {database}: `COMMIT PREPARED '{quoted}'` or `ROLLBACK PREPARED "
                "'{quoted}'`."
            ),
            "locks",
            # A transaction manager finishes within seconds; minutes mean that it has crashed.
            warning=60.0,
            critical=900.0,
            headline=Text("{target}: prepared transaction '{gid}' of {user} has been left behind"),
        ),
    ),
    read=read,
    every=30.0,
    exhibits=exhibits,
    runbook=Text(
        "1. Find the transaction manager that made the gid and bring it back: it finishes by "
        "itself. 2. If it is gone, decide with the owner of the data, then run COMMIT PREPARED or "
        "ROLLBACK PREPARED in the same database."
    ),
)
