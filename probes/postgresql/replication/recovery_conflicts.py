"""Queries cancelled by replay on a replica.

"conflict with recovery" is the price of a replica that keeps up; the kind shows which setting to
change.
Source: PostgreSQL manual, pg_stat_database_conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.rates import COUNTERS, growth

_KINDS = {
    "confl_tablespace": Text("a tablespace was dropped"),
    "confl_lock": Text("a lock (DDL on the primary)"),
    "confl_snapshot": Text("VACUUM removed old rows"),
    "confl_bufferpin": Text("a pinned page"),
    "confl_deadlock": Text("a deadlock with replay"),
    "confl_active_logicalslot": Text("a logical slot"),
}

_CONFLICTS = """
select extract(epoch from clock_timestamp())::float8 as now, pg_is_in_recovery() as in_recovery,
       k.key as kind, sum(k.value::numeric)::float8 as conflicts
from pg_stat_database_conflicts c, lateral jsonb_each_text(to_jsonb(c)) k
where k.key like 'confl_%' group by k.key
"""


def read(session: Session) -> Iterable[Measurement]:
    """Queries cancelled a minute, on a replica; nothing at the first reading."""
    rows = session.rows(_CONFLICTS)
    if not rows or not rows[0]["in_recovery"]:
        session.memory.drop(COUNTERS)
        return
    counted = {str(row["kind"]): row["conflicts"] for row in rows}
    grown = growth(session.memory, rows[0]["now"], counted)
    if grown is None:
        return
    total = sum(grown.by.values())
    most = max(grown.by, key=lambda kind: grown.by[kind])
    yield Measurement(
        "recovery_conflicts_per_minute",
        60 * total / grown.seconds,
        detail={"count": int(total), "kind": _KINDS.get(most, Text.verbatim(most))},
    )


PROBE = Probe(
    name="recovery_conflicts",
    engine="postgresql",
    question=Text("Does replay cancel queries on this replica?"),
    measures=(
        Measure("recovery_conflicts_per_minute", "", "Queries cancelled by replay, per minute."),
    ),
    thresholds=(
        Threshold(
            "recovery_conflicts_per_minute",
            Text(
                "{target}: replay cancels {value} {value:query|queries} a minute, most because of "
                "{kind}"
            ),
            Text(
                "Raise max_standby_streaming_delay (the replica may lag) or turn on "
                "hot_standby_feedback (the primary keeps old rows); run long reports away from "
                "DDL."
            ),
            "replication",
            warning=1.0,
            headline=Text("{target}: replay cancels queries, most because of {kind}"),
        ),
    ),
    read=read,
    every=60.0,
    runbook=Text(
        "1. The kind of conflict. 2. Whose reports are cancelled (the replica's log). 3. Choose: "
        "lag, or keep old rows."
    ),
)
