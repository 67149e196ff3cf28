"""A PostgreSQL with a pooler, both monitored, in one cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg2
import pytest

from probes import Target
from probes.wire import abandoned_logins
from tests.lab.scenario import PRIMARY
from tests.servers import pgbouncer, postgresql
from tests.servers.machine import until

POOLER = "pooler"

SETTINGS = {
    # The shared fixture switches these off to be quick; here an unsafe setting would be a fault.
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "40",
    "log_min_messages": "fatal",
}


class World:
    """The two servers, and hands to break them with."""

    engine = flavour = "pgbouncer"
    title = "PgBouncer"
    ruined = False
    rest_seconds = 0.0

    def __init__(self, pooler: pgbouncer.PgBouncer) -> None:
        self.pooler = pooler
        self.primary = pooler.server
        self.shown_version = str(pooler.admin("SHOW VERSION")[0][0]).split()[-1]
        major, minor, patch = (int(part) for part in self.shown_version.split("."))
        self.version = major * 10_000 + minor * 100 + patch

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]:
        return (
            self.primary.target(PRIMARY, cluster="lab", role=PRIMARY),
            self.pooler.target(POOLER, cluster="lab", database=pgbouncer.DATABASE),
        )

    def serves(self) -> bool:
        """Whether a client gets an answer through the pool."""
        with suppress(psycopg2.OperationalError):
            connection = self.pooler.connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("select 1")
                    return cursor.fetchone() is not None
            finally:
                connection.close()
        return False

    def wait_serving(self) -> None:
        until(self.serves, "a client being served")
        # who left while waiting is counted until its turn comes
        until(lambda: self.pooler.waiting() == 0, "nobody waiting any more")


@contextmanager
def world() -> Iterator[World]:
    """A world of its own, gone afterwards."""
    with (
        postgresql.single(SETTINGS) as server,
        pgbouncer.in_front_of(server) as pooler,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Rounds follow one another at once here; what an agent waits in its minute is two seconds.
        patch.setattr(abandoned_logins, "FOR_SECONDS", 2.0)
        made = World(pooler)
        made.wait_serving()
        yield made
