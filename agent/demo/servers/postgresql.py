"""A PostgreSQL server: its data directory, its process, and its superuser's sessions.

Superuser sessions use a Unix socket in a folder that only the servers' account (and root) may
enter; the server listens on loopback only. The demo's servers and those of the tests are made,
started, asked and ended by this one class.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg2

from agent.demo.servers.account import Account
from agent.demo.servers.process import Server, run_program

SUPERUSER = "postgres"


class PostgreSQL:
    """One PostgreSQL server."""

    engine = "postgresql"
    asking: ClassVar[Mapping[str, str]] = {}
    """Further connection parameters of ``ask``."""

    def __init__(
        self,
        name: str,
        programs: Path,
        data: Path,
        sockets: Path,
        log: Path,
        account: Account,
        port: int,
        records: Path | None = None,
    ) -> None:
        """``records``: where to note the process, for whoever must recognise it later."""
        self.name = name
        self.port = port
        self.data = data
        self.sockets = sockets
        self.programs = programs
        self._account = account
        self.server = Server(name, data, records, log, account, gentle=signal.SIGINT)

    def initdb(self, *options: str) -> None:
        """Create the data directory. Raises ``ProgramError``."""
        self.run(
            *("initdb", "-D", str(self.data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"),
            *("--locale=C", "--no-sync", *options),
        )

    def basebackup(
        self, host: str, port: int, user: str, *options: str, password: str = ""
    ) -> None:
        """Become a copy of a running primary, streamed. Raises ``ProgramError``."""
        self.run(
            *("pg_basebackup", "-h", host, "-p", str(port), "-U", user, "-D", str(self.data)),
            *("-X", "stream", "-c", "fast", "--no-sync", *options),
            environment={"PGPASSWORD": password} if password else {},
        )

    def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run one of the server's programs as its account. Raises ``ProgramError``."""
        self._account.folder(self.data)
        command = [str(self.programs / program), *arguments]
        run_program(command, self._account, self.data, _bare() | dict(environment or {}))

    def launch(self, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the process without waiting; ``environment`` replaces the inherited one."""
        command = [str(self.programs / "postgres"), "-D", str(self.data), *options]
        self.server.start(command, environment)

    def start(self) -> None:
        """Launch it and wait until it answers; each user's class tells a failure in its own way."""
        raise NotImplementedError

    def stop(self) -> None:
        """A fast shutdown, or SIGKILL when that takes too long."""
        self.server.stop()

    def answers(self) -> bool:
        """Whether it accepts a session and answers a query."""
        try:
            self.ask("select 1")
        except psycopg2.Error:
            return False
        return True

    def connect(self, database: str = "postgres", user: str = SUPERUSER, **more: Any) -> Any:
        """A session over the socket, each statement its own transaction; superuser by default."""
        connection = psycopg2.connect(
            host=str(self.sockets), port=self.port, user=user, dbname=database, **more
        )
        connection.autocommit = True
        return connection

    def ask(
        self, sql: str, parameters: Sequence[object] | None = None, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a separate session; returns its rows, if any."""
        connection = self.connect(database, **self.asking)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


def _bare() -> dict[str, str]:
    """The environment without the variables that would redirect libpq."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}
