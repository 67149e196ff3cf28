"""Use of transaction and multixact numbers, and what keeps them from freezing.

Every database counts, also template0 and those that take no connections: the oldest of them stops
the whole server. The holder of the horizon is in the detail, since VACUUM cannot freeze past it.
Source: PostgreSQL manual, "Preventing Transaction ID Wraparound Failures".
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.locks import horizon
from probes.words.tables import exhibit

LAST_NUMBER = 2**31
"""Numbers between the oldest and the newest; the server stops some three million before."""

_AGES = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody, datname::text as database,
       datallowconn as connectable, age(datfrozenxid)::float8 as xid_age,
       mxid_age(datminmxid)::float8 as multixact_age
from pg_database order by age(datfrozenxid) desc
"""  # noqa: S608 - only constants of this package are inserted

_NAME_THE_HOLDER_FROM = 0.1


def read(session: Session) -> Iterable[Measurement]:
    """Both ages as a share of the maximum, with the oldest database."""
    rows = session.rows(_AGES)
    require_sight(rows[0])
    holder: Text | None = None
    for measure, column in (
        ("xid_used_ratio", "xid_age"),
        ("multixact_used_ratio", "multixact_age"),
    ):
        oldest = max(rows, key=lambda row: float(row[column]))
        ratio = float(oldest[column]) / LAST_NUMBER
        detail: dict[str, object] = {
            "database": oldest["database"], "age": f"{oldest[column]:.0f}", "holder": "",
        }  # fmt: skip
        if ratio >= _NAME_THE_HOLDER_FROM:
            if holder is None:
                holder = horizon.said(horizon.holders(session))
            detail["holder"] = holder
        yield Measurement(measure, ratio, detail=detail)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The ages of every database, and what holds the horizon."""
    yield exhibit(
        Text("Age of each database"),
        session.rows(_AGES)[:50],
        ("database", "connectable", "xid_age", "multixact_age"),
    )
    yield horizon.table(session)


_HINT = Text(
    "Remove what holds it, then run `VACUUM FREEZE` on the oldest tables of database {database} "
    "as their owner; do not wait until the server stops writing."
)

PROBE = Probe(
    name="wraparound",
    engine="postgresql",
    question=Text("How near is the end of transaction numbers and multixacts?"),
    measures=(
        Measure("xid_used_ratio", "ratio", "Age of the oldest transaction number over 2^31."),
        Measure("multixact_used_ratio", "ratio", "Age of the oldest multixact over 2^31."),
    ),
    thresholds=(
        Threshold(
            "xid_used_ratio",
            Text(
                "{target}: {value} of the transaction numbers are used (database {database}); "
                "{holder}"
            ),
            _HINT,
            "wraparound",
            # Normal values stay near autovacuum_freeze_max_age, 9 %. Half leaves weeks; at
            # three quarters freezing a large table may no longer end in time.
            warning=0.5,
            critical=0.75,
            headline=Text("{target}: transaction numbers are running out (database {database})"),
        ),
        Threshold(
            "multixact_used_ratio",
            Text("{target}: {value} of the multixacts are used (database {database}); {holder}"),
            _HINT,
            "wraparound",
            warning=0.5,
            critical=0.75,
            headline=Text("{target}: multixacts are running out (database {database})"),
        ),
    ),
    read=read,
    every=300.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Who holds the horizon (evidence): a session, a prepared transaction, a slot, a "
        "standby. 2. Does autovacuum run? See the probe autovacuum. 3. `VACUUM FREEZE` the "
        "oldest tables: order pg_class by age(relfrozenxid). 4. Avoid VACUUM FULL."
    ),
)
