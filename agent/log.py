"""Log format: one line per event, on standard error.

Under journald lines have the ``<N>`` prefix that becomes a priority, elsewhere the time. Secrets
print as stars.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def set_up(debug: bool = False, stream: TextIO | None = None) -> None:
    """Send the log of the whole process to ``stream`` (standard error)."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Journal() if _is_journal(stream) else _Plain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.getLogger("sigap").setLevel(logging.DEBUG if debug else logging.INFO)


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream is journald's own, according to ``$JOURNAL_STREAM`` (device:inode)."""
    named = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


class _Plain(logging.Formatter):
    """``2026-11-23T01:40:00+0000 WARNING words``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")


class _Journal(logging.Formatter):
    """Every line with its priority; journald adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        number = next((n for level, n in _PRIORITIES if record.levelno >= level), 7)
        lines = super().format(record).splitlines() or [""]
        return "\n".join(f"<{number}>{line}" for line in lines)
