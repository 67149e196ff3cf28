"""The file of learned members (``members.json``).

Members must survive a restart, or a standby that disappeared while the agent was down would not be
reported. One small JSON file, replaced as a whole and flushed to the disk, so a crash leaves the
old one or the new one. The daemon and ``sigap learn`` may write at the same time: each takes the
file's lock, reads it again and applies its own changes. A file that cannot be read is renamed and
logged; a folder that cannot be written is logged once, and members are kept in memory only.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.state.files import open_or_make, write_whole
from probes.fleet.members import MemberChange, Members, Noted, Notes

log = logging.getLogger("sigap.notebook")

VERSION = 1


class NotebookError(Exception):
    """The file cannot be read or written; one sentence."""


class Notebook:
    """The notes in memory, and their file. Safe for many threads.

    ``of`` and ``note`` never touch the disk; ``flush`` does and belongs to a thread that may wait.
    """

    def __init__(self, file: Path | None) -> None:
        """``file`` None: nothing is kept over a restart. Reads what is there."""
        self._file = file
        self._lock = threading.Lock()
        self._pending: list[MemberChange] = []
        self._stamp: tuple[int, ...] = ()
        self._told = False
        self._notes = Notes()
        if file is not None:
            self._stamp = _stamp(file)
            self._notes = _read_or_set_aside(file)

    def of(self, target: str) -> Members:
        """What is known of a target, a value that does not change."""
        return self._notes.of(target)

    @property
    def notes(self) -> Notes:
        return self._notes

    def note(self, *changes: MemberChange) -> None:
        """Remember at once; written down at the next ``flush``."""
        with self._lock:
            self._pending += changes
            self._notes = self._notes.after(changes)

    def flush(self) -> None:
        """Write down what is new, and take over what somebody else wrote. May wait for the disk."""
        if self._file is None:
            self._pending.clear()
            return
        with self._lock:
            pending = list(self._pending)
        stamp = _stamp(self._file)
        if not pending and stamp == self._stamp:
            return
        try:
            notes = edit(self._file, pending) if pending else read(self._file)
        except (OSError, NotebookError) as error:
            if not self._told:
                log.error(
                    "learned members are lost at restart, %s cannot be written: %s",
                    self._file,
                    error,
                )
            self._told = True
            return
        self._told = False
        with self._lock:
            del self._pending[: len(pending)]
            self._notes = notes.after(self._pending)
            self._stamp = _stamp(self._file)


def read(file: Path) -> Notes:
    """The notes of a file; empty when there is none. Raises ``NotebookError`` or ``OSError``."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Notes()
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotebookError(f"this is not a file of learned members ({error})") from error


def edit(file: Path, changes: Iterable[MemberChange]) -> Notes:
    """Apply changes to the file as it is now; returns the outcome.

    Raises ``NotebookError`` or ``OSError``.
    """
    with _locked(file):
        notes = read(file).after(changes)
        write_whole(file, json.dumps(_plain(notes), indent=1, sort_keys=True) + "\n")
        return notes


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Alone among all processes; the lock is a file of its own, for the notes are replaced."""
    handle = open_or_make(file.with_name(file.name + ".lock"))
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _read_or_set_aside(file: Path) -> Notes:
    try:
        return read(file)
    except NotebookError as error:
        aside = file.with_name(file.name + ".unreadable")
        log.error("%s: %s; renamed to %s, learning starts again", file, error, aside.name)
        try:
            file.replace(aside)
        except OSError as trouble:
            log.error("%s cannot be renamed: %s", file, trouble)
    except OSError as error:
        log.error("%s cannot be read: %s; learning starts again", file, error)
    return Notes()


def _plain(notes: Notes) -> dict[str, Any]:
    targets: dict[str, dict[str, dict[str, Any]]] = {}
    for target, members in notes.targets.items():
        kinds = targets.setdefault(target, {})
        for (kind, name), noted in members.items():
            kinds.setdefault(kind, {})[name] = {
                "since": noted.since.isoformat(),
                "gone_since": noted.gone_since.isoformat() if noted.gone_since else None,
                "instead": noted.instead,
            }
    return {"version": VERSION, "targets": targets}


def _parsed(found: Any) -> Notes:
    if found["version"] != VERSION:
        raise ValueError(f"version {found['version']}, this Sigap writes {VERSION}")
    return Notes(
        {
            target: {
                (kind, name): Noted(
                    datetime.fromisoformat(each["since"]),
                    datetime.fromisoformat(each["gone_since"]) if each["gone_since"] else None,
                    str(each.get("instead") or ""),
                )
                for kind, names in kinds.items()
                for name, each in names.items()
            }
            for target, kinds in found["targets"].items()
        }
    )
