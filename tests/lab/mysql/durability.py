"""Commits that do not end although questions are answered as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import registry
from tests.lab.mysql.world import World
from tests.lab.scenario import PRIMARY, Fault
from tests.servers.mariadb import MONITOR


@contextmanager
def canary(world: World) -> Iterator[None]:
    """The table, by the very lines ``sigap grants mysql --canary`` prints."""
    for grant in registry.engine("mysql").options["canary"]:
        if grant.flavour == world.flavour:
            world.primary.sql(grant.sql.format(user=f"'{MONITOR}'@'%'"))
    world.wait_whole()
    try:
        yield
    finally:
        world.primary.sql(
            f"REVOKE SELECT, INSERT, UPDATE ON sigap.heartbeat FROM '{MONITOR}'@'%'",
            "DROP DATABASE sigap",
        )
        world.wait_whole()


@contextmanager
def backup_holds_writes(world: World) -> Iterator[None]:
    """A backup took the global read lock and never gave it back: reading goes on as ever."""
    with world.primary.admin() as backup, backup.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        yield


FAULTS = (
    Fault(
        "durability/canary_waits_for_a_backup", "mysql", backup_holds_writes, PRIMARY,
        "write_canary", "canary_ok", "availability", ("a test write does not finish",),
        given=canary,
    ),
)  # fmt: skip
