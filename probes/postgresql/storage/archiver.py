"""WAL archiving: failing, stuck, or without a command.

A failing command shows in a view; one that hangs shows nothing, only its backlog grows. Both are
checked: the last failure against the last success, and the oldest segment that waits. With
archive_mode on and no command set nothing fails and nothing hangs: the server keeps its WAL until a
command is set. Without the archive no point-in-time recovery is possible, and pg_wal fills its
volume.
Sources: PostgreSQL manual, pg_stat_archiver, pg_ls_archive_statusdir, archive_command.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from probes.i18n.formats import duration
from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    MemoryKey,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.postgresql.grants import PG_MONITOR
from probes.words.tables import exhibit

_FAILING_SINCE = MemoryKey[float | None]("when the present run of failures was first seen")

_MODE = """
select current_setting('archive_mode') as mode, pg_is_in_recovery() as in_recovery
"""

_STATE = """
select extract(epoch from clock_timestamp())::float8 as now,
       extract(epoch from a.last_archived_time)::float8 as archived,
       extract(epoch from a.last_failed_time)::float8 as failed,
       a.last_archived_wal, a.last_failed_wal, a.archived_count, a.failed_count,
       r.ready, r.oldest,
       coalesce(nullif(current_setting('archive_command'), ''),
                nullif(current_setting('archive_library', true), '')) is not null as is_set
from pg_stat_archiver a, (
  select count(*)::float8 as ready, extract(epoch from min(modification))::float8 as oldest
  from pg_ls_archive_statusdir() where name like '%.ready') r
"""

_SETTINGS = """
select current_setting('archive_mode') as archive_mode,
       current_setting('archive_command') as archive_command,
       current_setting('archive_library', true) as archive_library,
       current_setting('archive_timeout') as archive_timeout
"""


def read(session: Session) -> Iterable[Measurement]:
    """State of archiving; nothing if it is switched off."""
    mode = session.rows(_MODE)[0]
    if mode["mode"] == "off" or (mode["in_recovery"] and mode["mode"] != "always"):
        return
    row = session.rows(_STATE)[0]
    is_set = bool(row["is_set"])
    # Without a command nothing is tried, so an earlier failure is irrelevant.
    failing_since = _failing_since(row, session.memory.get(_FAILING_SINCE)) if is_set else None
    session.memory.set(_FAILING_SINCE, failing_since)
    archived = row["archived"]
    detail = {
        "segment": row["last_failed_wal"] or "-",
        "ready": int(row["ready"]),
        "last": Text("never")
        if archived is None
        else Text("{age} ago", age=duration(row["now"] - archived)),
    }
    yield Measurement("archive_ready_files", row["ready"], detail=detail)
    waits = 0.0 if row["oldest"] is None else max(0.0, row["now"] - row["oldest"])
    if is_set:
        yield Measurement("archive_oldest_ready_seconds", waits, detail=detail)
    yield Measurement("archive_unset_seconds", 0.0 if is_set else waits, detail=detail)
    failing = 0.0 if failing_since is None else max(0.0, row["now"] - failing_since)
    yield Measurement("archive_failing_seconds", failing, detail=detail)


def _failing_since(row: Row, known: float | None) -> float | None:
    """When the present run of failures was first seen; None while the last attempt worked."""
    if row["failed"] is None or (row["archived"] is not None and row["archived"] >= row["failed"]):
        return None
    return float(row["failed"]) if known is None else known


def _instants(row: Row) -> Row:
    seconds = {name: row[name] for name in ("archived", "failed", "oldest")}
    return {
        name: None if each is None else datetime.fromtimestamp(each, UTC)
        for name, each in seconds.items()
    }


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The archiver's row and its settings; the command's own output is in the server log."""
    rows = [{**row, **_instants(row)} for row in session.rows(_STATE)]
    yield exhibit(Text("WAL archiver"), rows)
    yield exhibit(Text("Settings of archiving"), session.rows(_SETTINGS))


PROBE = Probe(
    name="archiver",
    engine="postgresql",
    question=Text("Does every WAL segment reach the archive?"),
    measures=(
        Measure("archive_ready_files", "", "WAL segments that wait to be archived."),
        Measure(
            "archive_oldest_ready_seconds", "seconds", "How long the oldest of them has waited."
        ),
        Measure(
            "archive_failing_seconds", "seconds", "Time since archiving began to fail; 0: it works."
        ),
        Measure(
            "archive_unset_seconds",
            "seconds",
            "How long WAL has waited without an archive command; 0: it does not.",
        ),
    ),
    thresholds=(
        Threshold(
            "archive_failing_seconds",
            Text(
                "{target}: archiving WAL has failed for {value} at {segment}; {ready} segments "
                "wait, last success {last}"
            ),
            Text(
                "The server log holds what archive_command said: usually the destination is full, "
                "not mounted, or refuses. Never delete anything in pg_wal."
            ),
            "archiving",
            # The archiver tries three times, then sleeps a minute: what fails for five minutes
            # has failed more than a dozen times.
            warning=60.0,
            critical=300.0,
            clear_after=1,
            headline=Text("{target}: archiving WAL fails"),
        ),
        Threshold(
            "archive_oldest_ready_seconds",
            Text("{target}: a WAL segment has waited for {value} to be archived ({ready} wait)"),
            Text(
                "Without a failure the archive_command hangs: look for the archiver's child (`ps "
                "--forest`), stuck network storage, or a write rate archiving cannot follow."
            ),
            "archiving",
            # A bulk load may queue for minutes; after 15 minutes data is missing from the backup.
            warning=300.0,
            critical=900.0,
            raise_after=2,
            headline=Text("{target}: archiving WAL is stuck"),
        ),
        Threshold(
            "archive_unset_seconds",
            Text(
                "{target}: archive_mode is on but archive_command is empty: WAL is merely kept, "
                "for {value} now ({ready} segments wait)"
            ),
            Text(
                "Set archive_command (or archive_library, from 15) and `SELECT "
                "pg_reload_conf()`; if no archive is meant, archive_mode = off and a restart. "
                "Until then pg_wal only grows."
            ),
            "archiving",
            # May be empty for some minutes of work on the archive; after that as a stuck one.
            warning=300.0,
            critical=900.0,
            raise_after=2,
            headline=Text("{target}: archive_mode is on but archive_command is empty"),
        ),
    ),
    read=read,
    when_unused=Text("archive_mode is off, or this is a replica that archives nothing"),
    every=30.0,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. What archive_command said in the server log. 2. Room and reach of the archive. "
        "3. Room on the WAL volume: how long still? 4. Once it works, watch the queue empty, and "
        "take a full backup if a segment was lost."
    ),
)
