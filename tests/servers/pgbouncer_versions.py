"""PgBouncer of other Debian suites, unpacked, never installed.

Tests that use them carry the marker ``matrix``; a suite that moved is a skip with its reason.
"""

from __future__ import annotations

from pathlib import Path

from tests.servers import unpacked
from tests.support.selection import impossible_here

SUITES = ("trixie", "sid")
"""1.24 and the newest; the machine's own bookworm has 1.18."""

_PROGRAM = "usr/sbin/pgbouncer"


def program(suite: str) -> Path:
    """That suite's PgBouncer; without it the test is skipped, saying why."""
    try:
        return unpacked.root(suite, ["pgbouncer"], [_PROGRAM]) / _PROGRAM
    except unpacked.Unavailable as error:
        impossible_here(f"PgBouncer of {suite}: it cannot be had here: {error}")
