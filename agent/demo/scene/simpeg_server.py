"""A PostgreSQL server as the demo sets it up: the primary or the streaming replica of SIMPEG.

Over TCP, on loopback only, every account needs a password.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from agent.demo.errors import DemoError
from agent.demo.home import write_private
from agent.demo.servers.postgresql import SUPERUSER, PostgreSQL
from agent.demo.servers.process import ProgramError, wait_until
from probes import Text

START_SECONDS = 30.0
SLOT = "simpeg_replica"
REPLICATOR = "replikator"

SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
cluster_name = '{name}'
max_connections = 40
shared_buffers = '16MB'
huge_pages = off
io_method = sync
max_worker_processes = 4
wal_level = replica
min_wal_size = '16MB'
max_wal_size = '20MB'
max_slot_wal_keep_size = '16MB'
hot_standby_feedback = off
wal_receiver_status_interval = '1s'
wal_retrieve_retry_interval = '1s'
wal_sender_timeout = '10s'
wal_receiver_timeout = '10s'
log_line_prefix = '%m [%p] %q%u@%d '
"""

HBA = """\
# the sockets' folder is closed to everybody but the servers' account
local all all trust
host replication {replicator} 127.0.0.1/32 {method}
host replication all all reject
host all all 127.0.0.1/32 scram-sha-256
"""


class SimpegServer(PostgreSQL):
    """A PostgreSQL server of the demo; what goes wrong is told as a ``DemoError``."""

    asking: ClassVar[Mapping[str, str]] = {"options": "-c statement_timeout=10s"}

    @property
    def made(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def make(self, wal: Path | None) -> None:
        """initdb, with the WAL in ``wal`` if given; 1 MiB segments fit a small volume."""
        options = ["--no-instructions", "--wal-segsize=1"]
        if wal is not None:
            options += ["--waldir", str(wal)]
        with made_or_told(self.name):
            self.initdb(*options)

    def copy_from(self, primary: SimpegServer, password: str) -> None:
        """Become a copy of a running primary (pg_basebackup)."""
        shutil.rmtree(self.data, ignore_errors=True)
        with made_or_told(self.name):
            self.basebackup("127.0.0.1", primary.port, REPLICATOR, "-S", SLOT, password=password)
        self._write("standby.signal", "")

    def configure(self, upstream: tuple[SimpegServer, str] | None = None) -> None:
        """Write the settings of this start; ``upstream`` is the primary and its password."""
        text = SETTINGS.format(port=self.port, sockets=self.sockets, name=self.name)
        if upstream is not None:
            primary, password = upstream
            text += (
                f"primary_slot_name = '{SLOT}'\n"
                f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user={REPLICATOR} "
                f"password={password} application_name={self.name} connect_timeout=3'\n"
            )
        self._write("postgresql.conf", text)
        self.admit_replication(True)

    def admit_replication(self, admitted: bool) -> None:
        """Write pg_hba.conf; a running server takes it up at its next reload."""
        method = "scram-sha-256" if admitted else "reject"
        self._write("pg_hba.conf", HBA.format(replicator=REPLICATOR, method=method))

    @property
    def admits_replication(self) -> bool:
        return f"{REPLICATOR} 127.0.0.1/32 reject" not in (self.data / "pg_hba.conf").read_text()

    def start(self) -> None:
        """Start it and wait until it answers; raises ``DemoError`` with the end of its log."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # ours alone; the sweep ended it
        self.launch()
        if not wait_until(lambda: self.answers() or not self.server.running(), START_SECONDS) or (
            not self.server.running()
        ):
            words = self.server.last_words()
            self.server.stop()
            raise DemoError(
                Text(
                    "PostgreSQL {name} did not start: {words}. Log: {log}. `sigap demo "
                    "--fresh` creates it again.",
                    name=self.name,
                    words=words,
                    log=self.server.log,
                )
            )

    def connect(self, database: str = "postgres", user: str = SUPERUSER, **more: Any) -> Any:
        """As every server's, with a name, and with a limit on how long a login may take."""
        ours = {"connect_timeout": 3, "application_name": "sigap-demo"}
        return super().connect(database, user, **ours | more)

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        write_private(path, text)
        self._account.give(path)


@contextmanager
def made_or_told(name: str) -> Iterator[None]:
    """Tell of a program that failed as the demo tells of everything."""
    try:
        yield
    except ProgramError as error:
        raise DemoError(
            Text(
                "{command} for {name} failed: {words}. Correct that, "
                "then run `sigap demo --fresh`.",
                command=error.program,
                name=name,
                words=error.words,
            )
        ) from None
