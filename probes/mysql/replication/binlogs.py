"""Size of the binary logs, and whether they are ever removed.

They are the most common reason for a full MySQL volume, and no retention means for ever, which is
MariaDB's default. Runs in its own session with a limit of one second, because a commit that hangs
on a full disk holds the lock this query needs.
Sources: SHOW BINARY LOGS; variables binlog_expire_logs_seconds, binlog_expire_logs_auto_purge,
expire_logs_days.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.i18n.headings import headings
from probes.model import (
    Exhibit,
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
    Threshold,
)
from probes.mysql.ask import is_on, number, variables
from probes.mysql.grants import BINLOGS
from probes.mysql.replication.channels import connected_replicas
from probes.wire import deadline
from probes.words.units import written

ASK_SECONDS = 1.0
_NAMES = (
    "log_bin", "binlog_expire_logs_seconds", "expire_logs_days", "binlog_expire_logs_auto_purge",
    "max_binlog_size", "max_binlog_total_size", "slave_connections_needed_for_purge",
)  # fmt: skip


def read(session: Session) -> Iterator[Measurement]:
    """Files, bytes and retention; nothing where the binary log is off."""
    found = variables(session, *_NAMES)
    if not is_on(found, "log_bin"):
        return
    seconds = retention(found)
    if seconds:
        yield Measurement("binlog_retention_seconds", seconds)
    logs = _logs(session)
    total = sum(int(row["File_size"]) for row in logs)
    detail: dict[str, object] = {"size": written(float(total), "bytes"), "files": len(logs)}
    limited = seconds > 0 or (number(found, "max_binlog_total_size") or 0) > 0
    yield Measurement("binlog_files", float(len(logs)))
    yield Measurement("binlog_bytes", float(total))
    # one or two files: the server writes little and has nothing to remove yet
    endless = not limited and len(logs) > 2
    wanted = int(number(found, "slave_connections_needed_for_purge") or 0)
    here = connected_replicas(session) if limited and wanted else wanted
    if here < wanted:
        endless = len(logs) > 2
        detail["why"] = _waits_for_replicas(wanted, here)
    yield Measurement("binlog_kept_for_ever", float(endless), detail=detail)


def _waits_for_replicas(wanted: int, here: int) -> Text:
    """MariaDB 11.4 and later: no log is removed while fewer replicas are connected."""
    return Text(
        ": slave_connections_needed_for_purge asks for {wanted} replicas, {here} are connected",
        wanted=wanted,
        here=here,
    )


def retention(found: Mapping[str, str]) -> float:
    """Seconds a binary log is kept; 0 for ever."""
    if found.get("binlog_expire_logs_auto_purge", "ON").upper() in {"OFF", "0"}:
        return 0.0
    seconds = number(found, "binlog_expire_logs_seconds") or 0.0
    return seconds or 86400.0 * (number(found, "expire_logs_days") or 0.0)


def _logs(session: Session) -> list[Row]:
    try:
        with deadline.within(ASK_SECONDS), session.fresh() as own:
            return own.rows("SHOW BINARY LOGS")
    except ProbeError as error:
        if error.failure.kind is not FailureKind.TIMEOUT:
            raise
        raise ProbeError(
            FailureKind.BLIND,
            Text("SHOW BINARY LOGS is not answered: something holds the binary log"),
            Text(
                "Look for a commit that hangs (full disk, semi-sync) and at the binary log's "
                "volume."
            ),
        ) from error


_NEWEST = Text("the newest {shown} of {all}")


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The newest binary logs and their sizes."""
    logs = _logs(session)
    yield Exhibit(
        Text("Binary logs"),
        headings("file", "bytes"),
        tuple((str(row["Log_name"]), str(row["File_size"])) for row in logs[-20:]),
        note=_NEWEST.format(shown=20, all=len(logs)) if len(logs) > 20 else "",
    )


PROBE = Probe(
    name="binlogs",
    engine="mysql",
    question=Text("How large are the binary logs, and are they ever removed?"),
    measures=(
        Measure("binlog_files", "", "Binary logs on disk"),
        Measure("binlog_bytes", "bytes", "Size of all binary logs"),
        Measure(
            "binlog_retention_seconds", "seconds", "How long a binary log is kept; absent: for ever"
        ),
        Measure("binlog_kept_for_ever", "", "1 when binary logs are never removed"),
    ),
    thresholds=(
        Threshold(
            measure="binlog_kept_for_ever",
            title=Text("{target}: binary logs are never removed ({files} files, {size}){why}"),
            headline=Text("{target}: binary logs are never removed"),
            hint=Text(
                "Set binlog_expire_logs_seconds (longer than any replica is ever away and than the "
                "last backup), in my.cnf too; without replicas, on MariaDB 11.4 and later also "
                "slave_connections_needed_for_purge = 0."
            ),
            family="capacity",
            warning=1.0,
        ),
    ),
    read=read,
    every=300.0,
    exhibits=exhibits,
    grants=BINLOGS,
    runbook=Text(
        "1. Which replica still needs the oldest? 2. Point-in-time recovery since when? 3. "
        "`PURGE BINARY LOGS` by a person, never delete the files. 4. Set a retention."
    ),
)
