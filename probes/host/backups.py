"""Parses what backup tools leave behind to find when they last succeeded.

Takes a file's text and returns backups; no I/O. The format is recognised by content:
``pgbackrest info --output=json``, ``wal-g backup-list --detail --json`` (both written to a file by
the backup job), ``xtrabackup_info`` / ``mariadb_backup_info`` as the tool writes it. Anything else
is a plain dump or a marker file, whose modification time counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup that completed successfully."""

    ended: float  # seconds since the epoch
    full: bool  # can be restored by itself
    name: str


class NotUnderstoodError(Exception):
    """A file that begins like a known tool's report but cannot be parsed as one."""


def backups_in(text: str, zone: tzinfo | None, stanza: str = "") -> list[Backup] | None:
    """The good backups listed in a tool's report; None if the text is not a report.

    ``stanza``: count only this one of a pgBackRest report; "" counts all.

    ``zone`` is the host's time zone, for reports that contain local time without a zone. An empty
    list means the tool reports no backup. Raises ``NotUnderstoodError``.
    """
    if text.lstrip()[:1] == "[":
        try:
            return _listed(json.loads(text), stanza)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotUnderstoodError(f"{type(error).__name__}: {error}") from error
    if re.search(r"(?m)^end_time\s*=", text):
        return _xtrabackup(text, zone)
    return None


_LAST_LINES = (
    "-- PostgreSQL database dump complete",
    "-- PostgreSQL database cluster dump complete",
    "-- Dump completed",
)
"""The last line that pg_dump, pg_dumpall and mysqldump / mariadb-dump write on success."""


def is_whole(end_of_dump: str) -> bool:
    """Whether a plain SQL dump ends as its tool ends it."""
    return any(line in end_of_dump for line in _LAST_LINES)


def _listed(report: Any, stanza: str) -> list[Backup]:
    if any("stanza" in each or "backup" in each for each in report) or (
        report and all("name" in each and "status" in each for each in report)
    ):
        return [
            found
            for each in report
            if not stanza or each.get("name") == stanza
            for found in _pgbackrest(each)
        ]
    return [_walg(each) for each in report]


def _pgbackrest(stanza: Mapping[str, Any]) -> Iterable[Backup]:
    for each in stanza.get("backup", []):
        if not each.get("error"):  # true: pages with wrong checksums were copied
            yield Backup(float(each["timestamp"]["stop"]), each["type"] == "full", each["label"])


def _walg(each: Mapping[str, Any]) -> Backup:
    ended = each.get("finish_time") or each.get("time") or each["modified"]
    name = str(each["backup_name"])
    full = "_D_" not in name and not each.get("is_incremental", False)
    return Backup(datetime.fromisoformat(str(ended)).timestamp(), full, name)


def _xtrabackup(text: str, zone: tzinfo | None) -> list[Backup]:
    facts = {
        name.strip(): value.strip()
        for name, _, value in (line.partition("=") for line in text.splitlines())
    }
    try:
        ended = datetime.fromisoformat(facts["end_time"])
    except ValueError as error:
        raise NotUnderstoodError(f"end_time: {error}") from error
    full = facts.get("incremental", "N") == "N" and facts.get("partial", "N") == "N"
    return [Backup(ended.replace(tzinfo=zone).timestamp(), full, facts.get("name") or "xtrabackup")]
