"""Missing members: replicas, channels and volumes that disappear."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from probes import Expectations
from tests.lab.mysql.world import World
from tests.lab.scenario import PATIENT, PRIMARY, Fault
from tests.servers.mariadb import binary, eventually

OURS, ARCHIVE = "127.0.0.1", "127.0.0.1#2"
"""The second of one address has a number behind it."""


class Reader:
    """Copies the binary log to another building; it is not monitored there."""

    def __init__(self) -> None:
        self._running = ExitStack()

    @contextmanager
    def here(self, world: World) -> Iterator[None]:
        """It has read for long."""
        self._count(world, 1)  # a connection an earlier fault broke is noticed by a write
        with self._running:
            self._start(world)
            yield
        self._count(world, 1)

    @contextmanager
    def gone(self, world: World) -> Iterator[None]:
        """It ends, and comes back."""
        self._running.close()
        self._count(world, 1)
        yield
        self._start(world)

    def _start(self, world: World) -> None:
        folder = self._running.enter_context(tempfile.TemporaryDirectory())
        newest = world.primary.sql("SHOW MASTER STATUS")[0]["File"]
        process = subprocess.Popen(
            [
                binary("mysqlbinlog"), "--no-defaults", "--read-from-remote-server", "--raw",
                "--stop-never", "--stop-never-slave-server-id=99", f"--result-file={folder}/",
                "--host=127.0.0.1", f"--port={world.primary.port}", "--user=repl", newest,
            ],
            env={**os.environ, "MYSQL_PWD": "repl-uji"},
        )  # fmt: skip
        self._running.callback(process.wait, 30)
        self._running.callback(process.terminate)
        self._count(world, 2)

    def _count(self, world: World, number: int) -> None:
        """Wait until so many read; the primary sees who is gone when it has something to send."""
        asked = "SELECT 1 FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'"

        def counted() -> bool:
            world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1 WHERE id = 1")
            return len(world.primary.sql(asked)) == number

        eventually(counted, f"{number} reading the binary log")


READER = Reader()

FAULTS = (
    Fault(
        "membership/standby_gone", "mysql", READER.gone, PRIMARY, "expected_standbys",
        "declared_standby_missing", "replication", ("has lost its standby", ARCHIVE),
        evidence=("repl",), expects=Expectations(standbys=(OURS, ARCHIVE)), given=READER.here,
        deadline=PATIENT, versions=(0, 110000),  # the reader is the machine's, and knows none newer
        flavours=("mariadb",),  # MySQL needs a uuid, which this reader does not have
    ),
)  # fmt: skip
