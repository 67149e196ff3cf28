"""Missing members: standbys, slots and volumes that disappear."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from probes import Expectations
from tests.lab.postgresql.world import World
from tests.lab.scenario import PATIENT, PRIMARY, Fault
from tests.servers.machine import until
from tests.servers.postgresql import SUPERUSER

ARCHIVE = "arsip"
SLOT = "cadangan"


class Receiver:
    """Copies the WAL to another building through a slot; it is not monitored there."""

    def __init__(self, *, takes_its_slot: bool) -> None:
        """``takes_its_slot``: when it leaves, its slot is dropped as a leftover."""
        self._takes_its_slot = takes_its_slot
        self._running = ExitStack()

    @contextmanager
    def here(self, world: World) -> Iterator[None]:
        """It has read for long."""
        with self._running:
            self._make_slot(world)
            self._start(world)
            yield
        self._until_here(world, False)
        world.primary.sql("select pg_drop_replication_slot(%s)", SLOT)

    @contextmanager
    def gone(self, world: World) -> Iterator[None]:
        """It ends, and comes back."""
        self._running.close()
        self._until_here(world, False)
        if self._takes_its_slot:
            world.primary.sql("select pg_drop_replication_slot(%s)", SLOT)
        yield
        if self._takes_its_slot:
            self._make_slot(world)
        self._start(world)

    def _make_slot(self, world: World) -> None:
        world.primary.sql("select pg_create_physical_replication_slot(%s, true)", SLOT)

    def _start(self, world: World) -> None:
        one = world.primary
        folder = self._running.enter_context(tempfile.TemporaryDirectory())
        process = subprocess.Popen(
            [
                *(str(one.programs / "pg_receivewal"), "-h", str(one.folder), "-p", str(one.port)),
                *("-U", SUPERUSER, "-D", folder, "-S", SLOT, "--synchronous", "--no-loop"),
            ],
            env={**os.environ, "PGAPPNAME": ARCHIVE},
        )
        self._running.callback(process.wait, 30)
        self._running.callback(process.terminate)
        self._until_here(world, True)

    def _until_here(self, world: World, wanted: bool) -> None:
        asked = "select state = 'streaming' from pg_stat_replication where application_name = %s"
        active = "select 1 from pg_replication_slots where slot_name = %s and active"
        until(
            lambda: (
                (world.primary.sql(asked, ARCHIVE) == [(True,)]) is wanted
                and bool(world.primary.sql(active, SLOT)) is wanted
            ),
            f"{ARCHIVE} being {'here' if wanted else 'gone'}",
        )


STANDBY, LEFTOVER = Receiver(takes_its_slot=False), Receiver(takes_its_slot=True)

FAULTS = (
    Fault(
        "membership/standby_gone", "postgresql", STANDBY.gone, PRIMARY, "expected_standbys",
        "declared_standby_missing", "replication", ("has lost its standby", ARCHIVE),
        evidence=("streaming",), expects=Expectations(standbys=(ARCHIVE,)), given=STANDBY.here,
        deadline=PATIENT,
    ),
    Fault(
        "membership/slot_dropped", "postgresql", LEFTOVER.gone, PRIMARY, "expected_slots",
        "declared_slot_missing", "replication", ("has lost its replication slot", SLOT),
        expects=Expectations(slots=(SLOT,)), given=LEFTOVER.here, deadline=PATIENT,
    ),
)  # fmt: skip
