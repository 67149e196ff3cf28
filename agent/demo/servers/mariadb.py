"""A MariaDB or MySQL server: its data directory, its process, and its administrator's sessions.

Administration goes over a socket in a closed folder; the server listens on loopback only. The
demo's servers and those of the tests are started, asked and ended by this one class.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pymysql

from agent.demo.servers.account import Account
from agent.demo.servers.process import Server, run_program


class MariaDB:
    """One MariaDB server."""

    engine = "mysql"
    limits: ClassVar[Mapping[str, Any]] = {}
    """Connection parameters that bound how long a session may take."""

    def __init__(
        self,
        name: str,
        data: Path,
        socket: Path,
        settings: Path,
        log: Path,
        account: Account,
        port: int,
        records: Path | None = None,
    ) -> None:
        """``settings`` is the file the server reads; ``records`` as for PostgreSQL."""
        self.name = name
        self.port = port
        self.data = data
        self.socket = socket
        self.settings = settings
        self._account = account
        self.server = Server(name, data, records, log, account, gentle=signal.SIGTERM)

    def program(self) -> str:
        """The server program."""
        raise NotImplementedError

    def administrator(self) -> tuple[str, str]:
        """Name and password of the account that may do everything over the socket."""
        raise NotImplementedError

    def launch(self, *options: str) -> None:
        """Start the process without waiting."""
        # by its data directory a server is recognised later
        places = [f"--defaults-file={self.settings}", f"--datadir={self.data}"]
        self.server.start([self.program(), *places, *options])

    def start(self) -> None:
        """Launch it and wait until it answers; each user's class tells a failure in its own way."""
        raise NotImplementedError

    def stop(self) -> None:
        """An orderly shutdown, or SIGKILL when that takes too long."""
        self.server.stop()

    def answers(self) -> bool:
        """Whether it accepts a session and answers a query."""
        try:
            self.ask("select 1")
        except (pymysql.MySQLError, OSError):
            return False
        return True

    def connect(self, user: str = "", password: str = "", **more: Any) -> Any:
        """A session over the socket, autocommit on; the administrator's by default."""
        name, secret = self.administrator()
        return pymysql.connect(
            unix_socket=str(self.socket),
            user=user or name,
            password=password or secret,
            autocommit=True,
            charset="utf8mb4",
            cursorclass=pymysql.cursors.DictCursor,
            **{**self.limits, **more},
        )

    def ask(self, *statements: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run statements in one session; returns the rows of the last one."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for statement in statements[:-1]:
                    cursor.execute(statement)
                cursor.execute(statements[-1], parameters or None)
                return list(cursor.fetchall())
        finally:
            connection.close()


def install(program: str | Path, data: Path, account: Account, *options: str) -> None:
    """Create a data directory's system tables (mariadb-install-db). Raises ``ProgramError``."""
    places = ["--no-defaults", f"--datadir={data}", "--skip-test-db"]
    run_program([str(program), *places, *options], account, data)
