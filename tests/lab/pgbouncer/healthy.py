"""Normal operation of a pooler that must open no incident."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.lab.pgbouncer.world import World
from tests.lab.scenario import Healthy
from tests.servers.machine import until
from tests.servers.pgbouncer import CLERK, DATABASE
from tests.servers.postgresql import bindir


@contextmanager
def idle(world: World) -> Iterator[None]:
    """No clients; PgBouncer closes its idle server connections."""
    yield


@contextmanager
def load_within_the_pool(world: World) -> Iterator[None]:
    """Two clients work without a pause, and more of them are connected than the pool has room."""
    script = world.pooler.folder / "load.sql"
    script.write_text("select pg_sleep(0.002);\n")
    counted = "select sum(xact_commit) from pg_stat_database"
    with ExitStack() as stack:
        for _ in range(6):
            stack.callback(world.pooler.connect().close)
        load = subprocess.Popen(
            [
                *(str(bindir() / "pgbench"), "-n", "-c", "2", "-T", "600", "-f", str(script)),
                *("-h", "127.0.0.1", "-p", str(world.pooler.port), "-U", CLERK, DATABASE),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": CLERK},
        )
        before = world.primary.sql(counted)[0][0]
        try:
            until(lambda: world.primary.sql(counted)[0][0] > before + 100, "the load running")
            yield
            assert load.poll() is None, "the load ended early: this silence would prove nothing"
        finally:
            load.terminate()
            load.wait(30)


HEALTHY: tuple[Healthy[World], ...] = (
    Healthy("healthy/pooler_idle_for_an_hour", "pgbouncer", idle, rounds=60, seconds_a_round=60.0),
    Healthy("healthy/pooler_under_load", "pgbouncer", load_within_the_pool, rounds=40),
)
