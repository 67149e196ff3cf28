"""Age of the last good backup.

Reads what the backup job leaves behind, at the path configured as ``volumes: {backup: /path}`` or
``labels: {backup: /path}``: a tool's report, a marker file the job touches at its end, a dump, or a
directory of any of these. Runs no backup tool. Without that path the probe does not run;
``labels: {stanza: NAME}`` selects one stanza of a pgBackRest report. ``probes.host.backups`` parses
the reports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from probes.host.backups import Backup, NotUnderstoodError, backups_in, is_whole
from probes.host.seen import BACKUP, SECONDS_PER_LOOK, require_here
from probes.local.mountinfo import Mounted
from probes.local.mounts import SHARED, FailingError, StuckError
from probes.model import (
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)
from probes.wire import deadline

_MOST_FILES = 5000
_MOST_REPORT_BYTES = 4_000_000
"""A larger file is treated as a dump, not a report, and only its time is read."""


_STILL_SECONDS = 120.0
"""A dump written to within this time may still be growing; it counts once the time has passed."""

_END_BYTES = 1000

_DUMPS = (".sql", ".dump", ".gz", ".zst", ".xz", ".bz2", ".tar", ".bak")


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    modified: float
    size: int


def read(session: Session) -> Iterable[Measurement]:
    """Age of the last backup and of the last full one.

    Raises ``ProbeError``: UNSUPPORTED for a server on another host or without a configured path,
    BLIND when the path is missing, unreadable or its content is not understood.
    """
    target = session.target
    path = target.volumes.get(BACKUP) or target.labels.get(BACKUP, "")
    if not path:
        raise ProbeError(
            FailureKind.UNSUPPORTED,
            Text("no path to the backups is configured"),
        )
    require_here(target)
    zone = datetime.now().astimezone().tzinfo

    def look(place: str, mount: Mounted) -> list[Backup]:
        return found_at(place, zone, target.labels.get("stanza", ""))

    try:
        found = SHARED.at(path, min(SECONDS_PER_LOOK, deadline.remaining() / 2), look)
    except (StuckError, FailingError, NotUnderstoodError) as error:
        raise _blind(path, str(error)) from error
    except OSError as error:
        raise _blind(path, error.strerror or str(error)) from error
    return measurements(found, time.time(), path)


def found_at(place: str, zone: tzinfo | None, stanza: str = "") -> list[Backup]:
    """Every good backup listed by the file or directory.

    If a tool's report exists, only reports count, because the files of an aborted backup are as
    recent as those of a good one. A marker file may be empty if the path names it; in a directory
    an empty file is what a failed job leaves. Raises ``OSError`` and ``NotUnderstoodError``.
    """
    if not os.path.isdir(place):
        facts = os.stat(place)
        files = [_File(place, facts.st_mtime, facts.st_size)]
        if facts.st_size == 0 and not place.endswith(_DUMPS):  # a mark that was only touched
            return [Backup(facts.st_mtime, full=True, name=os.path.basename(place))]
    else:
        files = list(_files(place))
    reports = [report for each in files if (report := _report(each, zone, stanza)) is not None]
    if reports:
        return [found for report in reports for found in report]
    return [
        Backup(each.modified, full=True, name=os.path.basename(each.path))
        for each in files
        if _ended_well(each, time.time())
    ]


def _ended_well(file: _File, now: float) -> bool:
    """Not empty, no longer growing, and a plain SQL dump ends with the last line its tool
    writes.
    """
    if file.size == 0:
        return False
    if not file.path.endswith(_DUMPS):
        return True  # a mark: touched at the end, and whole at once
    if 0 <= now - file.modified < _STILL_SECONDS:
        return False
    if not file.path.endswith(".sql"):
        return True
    with open(file.path, "rb") as opened:
        opened.seek(max(0, file.size - _END_BYTES))
        return is_whole(opened.read(_END_BYTES).decode("utf-8", "replace"))


def _files(folder: str) -> Iterable[_File]:
    """The files of a directory and of the directories in it, at most ``_MOST_FILES``."""
    left = _MOST_FILES
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    raise NotUnderstoodError(
                        f"more than {_MOST_FILES} entries; name the report or a mark instead"
                    )
                if entry.is_dir(follow_symlinks=False):
                    if depth == 0:
                        waiting.append((entry.path, 1))
                elif entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    yield _File(entry.path, facts.st_mtime, facts.st_size)


def _report(file: _File, zone: tzinfo | None, stanza: str) -> list[Backup] | None:
    """The backups a tool's report lists; None for a file that is none."""
    name = os.path.basename(file.path)
    may_be_one = name.endswith((".json", "_info")) or "." not in name
    if not may_be_one or not 0 < file.size <= _MOST_REPORT_BYTES:
        return None
    with open(file.path, encoding="utf-8", errors="replace") as opened:
        return backups_in(opened.read(), zone, stanza)


def measurements(found: list[Backup], now: float, path: str) -> Iterable[Measurement]:
    """Ages at ``now`` (seconds since the epoch); no backup at all is a count of 0."""
    full = [each for each in found if each.full]
    yield Measurement("backup_count", float(len(found)), detail={"path": path})
    if found:  # without any, backup_count reports it
        yield Measurement("backup_full_count", float(len(full)), detail={"path": path})
    for measure, among in (
        ("backup_age_seconds", found),
        ("backup_full_age_seconds", full),
    ):
        if among:
            last = max(among, key=lambda each: each.ended)
            detail = {"name": last.name, "path": path}
            # A backup from the future is a wrong clock, not an old backup.
            yield Measurement(measure, max(0.0, now - last.ended), detail=detail)


def _blind(path: str, why: str) -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        Text("the backups at {path} cannot be judged: {why}", path=path, why=why),
        Text(
            "See that {path} exists and the agent may read it: a report (pgbackrest info "
            "--output=json, wal-g backup-list --detail --json), xtrabackup_info, a dump, "
            "or a mark that the backup job touches at its end.",
            path=path,
        ),
    )


_HINT = Text(
    "Check the backup job (cron, systemd timer) and its log, run it once by hand, then try a "
    "restore: a backup that was never restored is not proven."
)

PROBE = Probe(
    name="backup_age",
    engine="host",
    question=Text("How old is the last good backup?"),
    measures=(
        Measure(
            "backup_age_seconds", "seconds", "Time since the last good backup of any kind ended."
        ),
        Measure(
            "backup_full_age_seconds", "seconds", "Time since the last good full backup ended."
        ),
        Measure("backup_count", "", "Good backups found."),
        Measure("backup_full_count", "", "Full backups among them."),
    ),
    thresholds=(
        Threshold(
            "backup_age_seconds",
            Text("{target}: the last backup ({name}) is {value} old"),
            _HINT,
            "backup",
            # A daily backup may be half a day late; after three days two were missed.
            warning=36 * 3600.0,
            critical=72 * 3600.0,
            headline=Text("{target}: the last backup is too old"),
        ),
        Threshold(
            "backup_full_age_seconds",
            Text("{target}: the last full backup ({name}) is {value} old"),
            _HINT,
            "backup",
            # A weekly full backup, half a day late.
            warning=7.5 * 86400.0,
            headline=Text("{target}: the last full backup is too old"),
        ),
        Threshold(
            "backup_count",
            Text("{target}: there is not one good backup at {path}"),
            _HINT,
            "backup",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "backup_full_count",
            Text("{target}: at {path} there are only incremental backups and no full one"),
            _HINT,
            "backup",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
    ),
    read=read,
    every=300.0,
    runbook=Text(
        "1. The backup job's log. 2. Room and access where backups are kept. 3. Run a backup. "
        "4. Try a restore."
    ),
)
