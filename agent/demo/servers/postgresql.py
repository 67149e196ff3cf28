"""PostgreSQL servers of the demo: a primary and its streaming replica.

Superuser sessions use a Unix socket in a folder that only the servers' account (and root) may
enter; over TCP, on loopback only, every account needs a password.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2

from agent.demo.errors import DemoError
from agent.demo.home import write_private
from agent.demo.servers.account import Account
from agent.demo.servers.process import Server, wait_until
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


class PostgreSQL:
    """One PostgreSQL server."""

    engine = "postgresql"

    def __init__(
        self,
        name: str,
        programs: Path,
        data: Path,
        sockets: Path,
        records: Path,
        log: Path,
        account: Account,
        port: int,
    ) -> None:
        self.name = name
        self.port = port
        self.data = data
        self.sockets = sockets
        self.programs = programs
        self._account = account
        self.server = Server(name, data, records, log, account, gentle=signal.SIGINT)

    @property
    def made(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def make(self, wal: Path | None) -> None:
        """initdb, with the WAL in ``wal`` if given; 1 MiB segments fit a small volume."""
        self._account.folder(self.data)
        command = ["initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"]
        if wal is not None:
            command += ["--waldir", str(wal)]
        self._run(command)

    def copy_from(self, primary: PostgreSQL, password: str) -> None:
        """Become a copy of a running primary (pg_basebackup)."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._account.folder(self.data)
        self._run(
            ["pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", REPLICATOR,
             "-D", str(self.data), "-S", SLOT, "-X", "stream", "-c", "fast", "--no-sync"],
            {"PGPASSWORD": password},
        )  # fmt: skip
        self._write("standby.signal", "")

    def configure(self, upstream: tuple[PostgreSQL, str] | None = None) -> None:
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
        self.server.start([str(self.programs / "postgres"), "-D", str(self.data)])
        if not wait_until(lambda: self.answers() or not self.server.running(), START_SECONDS) or (
            not self.server.running()
        ):
            words = self.server.last_words()
            self.server.stop()
            raise DemoError(
                Text(
                    "PostgreSQL {name} did not start: {words}. Log: {log}. `sigap demo "
                    "--fresh` makes it anew.",
                    name=self.name,
                    words=words,
                    log=self.server.log,
                )
            )

    def stop(self) -> None:
        self.server.stop()

    def answers(self) -> bool:
        """Whether it accepts a session and answers a query."""
        try:
            self.ask("select 1")
        except psycopg2.Error:
            return False
        return True

    def connect(
        self,
        database: str = "postgres",
        application: str = "sigap-demo",
        user: str = "postgres",
    ) -> Any:
        """A session over the socket, each statement its own transaction; superuser by default."""
        connection = psycopg2.connect(
            host=str(self.sockets),
            port=self.port,
            user=user,
            dbname=database,
            connect_timeout=3,
            application_name=application,
        )
        connection.autocommit = True
        return connection

    def ask(
        self, sql: str, parameters: Sequence[object] | None = None, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a separate session; returns its rows, if any."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute("set statement_timeout = '10s'")
                cursor.execute(sql, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        write_private(path, text)
        self._account.give(path)

    def _run(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        done = subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            cwd=self.data,
            env={**_bare_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **self._account.popen(),
        )
        if done.returncode != 0:
            words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise DemoError(
                Text(
                    "{command} for {name} failed: {words}. Mend that, then `sigap demo --fresh`.",
                    command=command[0],
                    name=self.name,
                    words=words,
                )
            )


def _bare_environment() -> dict[str, str]:
    """The environment without the variables that would redirect libpq."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}
