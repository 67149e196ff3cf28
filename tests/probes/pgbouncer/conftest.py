"""One server with one pooler, for each module that needs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import pgbouncer, postgresql
from tests.servers.machine import until


@pytest.fixture(scope="module")
def pooler() -> Iterator[pgbouncer.PgBouncer]:
    """A pooler of two server connections before a server on its own."""
    with postgresql.single() as server, pgbouncer.in_front_of(server) as one:
        yield one


@pytest.fixture(autouse=True)
def nobody_waits(request: pytest.FixtureRequest) -> None:
    """PgBouncer still counts a client that left while it waited, until its turn comes."""
    if "pooler" in request.fixturenames:
        pooler: pgbouncer.PgBouncer = request.getfixturevalue("pooler")
        until(lambda: pooler.waiting() == 0, "nobody waiting any more")
