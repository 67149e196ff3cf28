"""PostgreSQL of other majors: the wheel's, and Debian's other suites unpacked, never installed.

Opt-in (``SIGAP_TEST_MATRIX=1``); a suite that moved is a skip with its reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import postgres_programs, unpacked
from tests.servers.mysql import SWITCH, wanted

SUITES = {"13": "bullseye", "17": "trixie", "18": "sid"}
_USED = ("initdb", "postgres", "pg_ctl", "pg_basebackup", "pg_checksums", "psql", "pgbench")


def programs(major: str) -> Path:
    """The folder with that major's programs; without one the test is skipped, saying why."""
    if not wanted():
        pytest.skip(f"opt-in: set {SWITCH}=1 (make test-matrix) to try PostgreSQL {major}")
    if major == "18" and (wheel := postgres_programs.wheel()) is not None:
        return wheel
    folder = f"usr/lib/postgresql/{major}/bin"
    used = [f"{folder}/{name}" for name in _USED]
    packages = [f"postgresql-{major}", f"postgresql-client-{major}"]
    try:
        return unpacked.root(SUITES[major], packages, used) / folder
    except unpacked.Unavailable as error:
        suite = SUITES[major]
        pytest.skip(f"POSTGRESQL {major} NOT TRIED: Debian's {suite} no longer gives it: {error}")
