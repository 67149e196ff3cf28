"""Deadlocks per minute, and the transactions of the last one.

The server resolves a deadlock itself after deadlock_timeout, so each costs one transaction and a
wait. The figures are a rate per database. The parties are only in the server log, which no
monitoring right opens: the agent reads it if it runs on the server's host and may; otherwise the
evidence states what is needed. Source: PostgreSQL manual, pg_stat_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.i18n.headings import headings
from probes.local import server_log
from probes.local.down_evidence import NO_FILE, NO_PLACE
from probes.local.inspection import unseen
from probes.local.mounts import FailingError, StuckError
from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
    Words,
)
from probes.postgresql.locks import deadlock_log
from probes.postgresql.rates import growth
from probes.wire import deadline
from probes.words.tables import AT_SERVER_TIME, ROLLED_BACK, remarks

_DEADLOCKS = """
select extract(epoch from clock_timestamp())::float8 as now, datname::text as database,
       deadlocks::float8 as deadlocks
from pg_stat_database where datname is not null
"""


def read(session: Session) -> Iterable[Measurement]:
    """Deadlocks a minute since the previous reading; nothing at the first."""
    rows = session.rows(_DEADLOCKS)
    counted = {str(row["database"]): float(row["deadlocks"]) for row in rows}
    grown = growth(session.memory, rows[0]["now"], counted)
    if grown is None:
        return
    total = sum(grown.by.values())
    worst = max(grown.by, key=lambda name: grown.by[name])
    detail = {"database": worst, "count": int(total)}
    yield Measurement("deadlocks_per_minute", 60 * total / grown.seconds, detail=detail)


_TITLE = Text("The last deadlock, by the server's log")
_LOG_BYTES = 256 * 1024
_COLUMNS = headings("pid", "waited for", "mode", "blocked by", "statement", "outcome")


_ELSEWHERE = Text("an agent on the server's own host could read its log")
_COLLECT = Text("logging_collector = on, or volumes: {log: ...} at the target, would show it")
_READABLE = Text("log_file_mode = 0640 and membership of its group would show it")
_NONE_THERE = Text("none at the end of {name}; only plain logs in English are read")
_AT_TABLE = Text("the one rolled back was at table {table}")


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The transactions of the last deadlock, or what is needed to see them."""
    if not session.target.host:
        yield _unseen(_ELSEWHERE)
        return
    where = {**session.paths(), **session.target.volumes}.get("log", "")
    if not where:
        yield _unseen(remarks(NO_PLACE, _COLLECT))
        return
    try:
        name, found = server_log.newest(where, deadline.remaining() / 3, _reports)
    except (StuckError, FailingError, OSError, ProbeError) as error:
        yield _unseen(unseen(error))
        return
    if not name:
        yield _unseen(remarks(NO_FILE.format(where=where), _READABLE))
        return
    yield _drawn(deadlock_log.last(found[0]) if found else None, name)


def _reports(path: str) -> list[str]:
    """The end of a log that contains a deadlock; empty if there is none."""
    words = server_log.tail(path, _LOG_BYTES)
    return [words] if deadlock_log.last(words) else []


def _unseen(why: Words) -> Exhibit:
    return Exhibit(_TITLE, _COLUMNS, (), note=why)


def _drawn(deadlock: deadlock_log.Deadlock | None, name: str) -> Exhibit:
    if deadlock is None:
        return _unseen(_NONE_THERE.format(name=name))
    rows = tuple(
        (
            str(each.pid), each.waited_for, each.mode, str(each.blocked_by), each.statement,
            "" if position else ROLLED_BACK,
        )
        for position, each in enumerate(deadlock.parties)
    )  # fmt: skip
    note = remarks(
        AT_SERVER_TIME.format(at=deadlock.at) if deadlock.at else "",
        Text("from {name}", name=name),
        _AT_TABLE.format(table=deadlock.relation) if deadlock.relation else "",
    )
    return Exhibit(_TITLE, _COLUMNS, rows, note)


PROBE = Probe(
    name="deadlocks",
    engine="postgresql",
    question=Text("How often do transactions deadlock?"),
    measures=(Measure("deadlocks_per_minute", "", "Deadlocks per minute."),),
    thresholds=(
        Threshold(
            "deadlocks_per_minute",
            Text(
                "{target}: {value} {value:deadlock|deadlocks} a minute, most in database {database}"
            ),
            Text(
                "The server log names both sessions and their statements (deadlock detected). "
                "Have the developers lock rows in one order."
            ),
            "locks",
            # An occasional one is ordinary; more than five a minute is the common alarm,
            # one each second is an outage for the application.
            warning=5.0,
            critical=60.0,
            headline=Text("{target}: deadlocks keep coming, most in database {database}"),
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    runbook=Text(
        "1. Read deadlock detected in the server log: both statements and their tables. 2. Look "
        "for a new release or bulk job. 3. Reschedule the jobs that collide. 4. Mend the order "
        "of locking in the application."
    ),
)
