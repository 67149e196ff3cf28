"""PgBouncer of other Debian suites, unpacked, never installed.

Opt-in (``SIGAP_TEST_MATRIX=1``); a suite that moved is a skip with its reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import unpacked
from tests.servers.mysql import SWITCH, wanted

SUITES = ("trixie", "sid")
"""1.24 and the newest; the machine's own bookworm has 1.18."""

_PROGRAM = "usr/sbin/pgbouncer"


def program(suite: str) -> Path:
    """That suite's PgBouncer; without it the test is skipped, saying why."""
    if not wanted():
        pytest.skip(f"opt-in: set {SWITCH}=1 (make test-matrix) to try the PgBouncer of {suite}")
    try:
        return unpacked.root(suite, ["pgbouncer"], [_PROGRAM]) / _PROGRAM
    except unpacked.Unavailable as error:
        pytest.skip(f"PGBOUNCER OF {suite.upper()} NOT TRIED: it cannot be had here: {error}")
