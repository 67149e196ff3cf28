"""PAUSE, SUSPEND or DISABLE that was left on.

All three are meant for short work on the servers behind. While they last every client waits or is
rejected. A PAUSE without a database name shows only in SHOW STATE, which 1.18 does not have; there
``servers`` reports that no connection is made. 1.26 no longer has SUSPEND.
Source: PgBouncer manual, "PAUSE".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.pgbouncer import ask
from probes.pgbouncer.evidence import database_table, pool_tables


def read(session: Session) -> Iterable[Measurement]:
    """The state of the whole pooler, if shown, and of every database."""
    state = ask.state(session)
    pools = ask.pools(session)
    if state:
        waiting = sum(int(pool["cl_waiting"]) for pool in pools)
        word, heal = ("SUSPEND", "RESUME;") if state.get("suspended") else ("PAUSE", "RESUME;")
        held = state.get("paused", False) or state.get("suspended", False)
        detail = {"word": word, "heal": heal, "waiting": waiting}
        yield Measurement("pooler_held", float(held), detail=detail)
    for name, row in ask.databases(session).items():
        waiting = sum(int(pool["cl_waiting"]) for pool in pools if pool["database"] == name)
        detail = {"waiting": waiting}
        yield Measurement("database_paused", float(ask.number(row, "paused") or 0), name, detail)
        yield Measurement("database_disabled", float(ask.number(row, "disabled") or 0), name)


def exhibits(session: Session) -> Iterator[Exhibit]:
    """What is paused or disabled, and which clients wait."""
    yield database_table(session)
    yield from pool_tables(session)


PROBE = Probe(
    name="paused",
    engine="pgbouncer",
    question=Text("Was a PAUSE, SUSPEND or DISABLE left on?"),
    measures=(
        Measure("pooler_held", "", "1 while the whole pooler is paused or suspended."),
        Measure("database_paused", "", "1 while this database is paused.", "database"),
        Measure(
            "database_disabled",
            "",
            "1 while this database is disabled and rejects clients.",
            "database",
        ),
    ),
    thresholds=(
        Threshold(
            "pooler_held",
            Text("{target} is held by {word}: {waiting} {waiting:client waits|clients wait}"),
            Text(
                "Find out who holds it and for which work; if that is done, run on the admin "
                "console: {heal}"
            ),
            "pooler",
            critical=1.0,
            raise_after=3,  # a planned switch takes seconds
            headline=Text("{target} is held by {word}"),
        ),
        Threshold(
            "database_paused",
            Text(
                "{target}: database {subject} is paused; {waiting} "
                "{waiting:client waits|clients wait}"
            ),
            Text(
                "Find out who holds it and for which work; if that is done, run on the admin "
                "console: RESUME {subject};"
            ),
            "pooler",
            critical=1.0,
            raise_after=3,
            headline=Text("{target}: database {subject} is paused"),
        ),
        Threshold(
            "database_disabled",
            Text("{target}: database {subject} is disabled; new clients are turned away"),
            Text(
                "If it is still in use, run on the admin console: ENABLE {subject}; If not, take "
                "it out of [databases]."
            ),
            "pooler",
            warning=1.0,  # some leave it on for good
            raise_after=3,
        ),
    ),
    read=read,
    exhibits=exhibits,
    runbook=Text(
        "1. Is there announced work (a switch of the primary, a restart)? 2. Who logged in as one "
        "of admin_users: PgBouncer's log holds the command. 3. RESUME or ENABLE."
    ),
)
