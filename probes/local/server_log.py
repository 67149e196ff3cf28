"""Reads the server's log on this host: the end of the newest file that has the wanted lines.

Limited in files, bytes and time. Links that lead out of the folder are not followed, because they
may lead to a mount that does not answer.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from functools import partial

from probes.local.mountinfo import Mounted
from probes.local.mounts import SHARED

LOG_FILE = "log_file"
"""Key, among a server's paths, of the very file it writes its log to. Not one of its volumes: its
directory is, as ``log``, which an agent without rights on the file can see all the same."""

_MOST_FILES = 2000  # of a log directory
_MOST_TRIED = 5
TAIL_BYTES = 64 * 1024

Wanted = Callable[[str], list[str]]
"""Returns what is wanted from one file, given its path; raises ``OSError``."""


def place(reported: Mapping[str, str], configured: Mapping[str, str]) -> str:
    """Where to read a server's log: as configured, else the file the server names, else its
    directory; "" when neither is known."""
    return configured.get("log") or reported.get(LOG_FILE) or reported.get("log", "")


def newest(where: str, seconds: float, wanted: Wanted) -> tuple[str, list[str]]:
    """The newest file with matching lines, and those lines; the name is "" when none is readable.

    ``where``: a log file, or a directory of them. Raises as ``Mounts.at`` does.
    """
    return SHARED.at(where, seconds, partial(_newest, wanted))


def _newest(wanted: Wanted, directory: str, mount: Mounted) -> tuple[str, list[str]]:
    if os.path.isfile(directory):
        try:
            return directory, wanted(directory)
        except OSError:
            return "", []
    found: list[tuple[float, str]] = []
    with os.scandir(directory) as entries:
        for _, entry in zip(range(_MOST_FILES), entries, strict=False):
            # csvlog and jsonlog are statements
            if entry.name.endswith((".log", ".err", ".txt")) and entry.is_file(
                follow_symlinks=False
            ):
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
    readable = ""
    for _, name in sorted(found, reverse=True)[:_MOST_TRIED]:
        try:
            lines = wanted(os.path.join(directory, name))
        except OSError:
            continue
        if lines:
            return name, lines
        readable = readable or name
    return readable, []


def tail(path: str, most_bytes: int = TAIL_BYTES) -> str:
    """The end of a file, "" if it is not a plain file; raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return ""
        file.seek(max(0, facts.st_size - most_bytes))
        return file.read(most_bytes).decode("utf-8", "replace")
