"""MariaDB servers of the demo: a primary and its GTID replica, if this machine has MariaDB.

As for PostgreSQL: administration over a socket in a closed folder (and with a password), all others
over loopback with their own password.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from agent.demo.errors import DemoError
from agent.demo.home import write_private
from agent.demo.servers.account import Account
from agent.demo.servers.process import Server, wait_until
from probes import Text

START_SECONDS = 30.0
REPLICATOR = "replikator"
ANSWER_SECONDS = 10

SETTINGS = """\
[mariadbd]
datadir = {data}
socket = {socket}
pid-file = {data}/mariadbd.pid
port = {port}
bind-address = 127.0.0.1
skip-name-resolve
server-id = {number}
log-bin = binlog
relay-log = relay
log-slave-updates
gtid-strict-mode = 1
binlog-expire-logs-seconds = 3600
sync-binlog = 1
max-binlog-size = 4M
slave-net-timeout = 10
read-only = {read_only}
innodb-buffer-pool-size = 16M
innodb-log-file-size = 8M
performance-schema = off
max-connections = 40
"""


class MariaDB:
    """One MariaDB server."""

    engine = "mysql"

    def __init__(
        self,
        name: str,
        number: int,
        programs: tuple[Path, Path],
        data: Path,
        sockets: Path,
        records: Path,
        log: Path,
        account: Account,
        port: int,
        password: str,
    ) -> None:
        """``number`` is the server id; ``password`` belongs to ``root`` on the socket."""
        self.name = name
        self.port = port
        self.data = data
        self.socket = sockets / f"{name}.sock"
        self.settings = data.parent / f"{name}.cnf"
        self._number = number
        self._programs = programs
        self._account = account
        self._password = password
        self.server = Server(name, data, records, log, account, gentle=signal.SIGTERM)

    @property
    def made(self) -> bool:
        """Whether the data directory was created completely."""
        return (self.data / "mysql").is_dir() and not self._first.exists()

    @property
    def _first(self) -> Path:
        """SQL that the server runs at its very first start; deleted afterwards."""
        return self.data.parent / f"{self.name}.first.sql"

    def make(self) -> None:
        """Create a data directory; its first start closes it to all but ``root``."""
        self._account.folder(self.data)
        self._write(
            self._first,
            "SET sql_log_bin = 0;\n"
            "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys' "
            "AND NOT (User = 'root' AND Host = 'localhost');\n"
            "FLUSH PRIVILEGES;\n"
            f"ALTER USER root@localhost IDENTIFIED BY '{self._password}';\n",
        )
        done = subprocess.run(
            [str(self._programs[1]), "--no-defaults", f"--datadir={self.data}",
             "--auth-root-authentication-method=normal", "--skip-test-db",
             "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M"],
            cwd=self.data,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **self._account.popen(),
        )  # fmt: skip
        if done.returncode != 0:
            words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise DemoError(
                Text(
                    "mariadb-install-db for {name} failed: {words}. The demo can run "
                    "without MariaDB: --no-mariadb.",
                    name=self.name,
                    words=words,
                )
            )

    def forget(self) -> None:
        """Delete the data directory."""
        shutil.rmtree(self.data, ignore_errors=True)

    def configure(self, read_only: bool) -> None:
        """Write the settings of this start."""
        self._write(
            self.settings,
            SETTINGS.format(
                data=self.data,
                socket=self.socket,
                port=self.port,
                number=self._number,
                read_only=int(read_only),
            ),
        )

    def start(self) -> None:
        """Start it and wait until it answers; raises ``DemoError`` with the end of its log."""
        command = [str(self._programs[0]), f"--defaults-file={self.settings}"]
        command += [f"--datadir={self.data}"]  # by which a later demo recognises it
        if self._first.exists():
            command += [f"--init-file={self._first}"]
        self.server.start(command)
        if not wait_until(lambda: self.answers() or not self.server.running(), START_SECONDS) or (
            not self.server.running()
        ):
            words = self.server.last_words()
            self.server.stop()
            raise DemoError(
                Text(
                    "MariaDB {name} did not start: {words}. Log: {log}. The demo can run "
                    "without it: --no-mariadb.",
                    name=self.name,
                    words=words,
                    log=self.server.log,
                )
            )
        self._first.unlink(missing_ok=True)

    def stop(self) -> None:
        self.server.stop()

    def answers(self) -> bool:
        """Whether it accepts a session and answers a query."""
        try:
            self.ask("select 1")
        except (pymysql.MySQLError, OSError):
            return False
        return True

    def connect(
        self,
        read_timeout: float | None = ANSWER_SECONDS,
        user: str = "root",
        password: str = "",
    ) -> Any:
        """A session over the socket, autocommit on; the administrator's by default."""
        return pymysql.connect(
            unix_socket=str(self.socket),
            user=user,
            password=password or self._password,
            autocommit=True,
            connect_timeout=3,
            read_timeout=read_timeout,
            write_timeout=ANSWER_SECONDS,
            charset="utf8mb4",
            cursorclass=pymysql.cursors.DictCursor,
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

    def follow(self, primary: MariaDB, password: str) -> None:
        """Replicate from ``primary`` by GTID, wherever it listens today."""
        self.ask(
            "STOP SLAVE",
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, "
            f"MASTER_USER='{REPLICATOR}', MASTER_PASSWORD='{password}', "
            "MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos",
            "START SLAVE",
        )

    def replication(self) -> dict[str, Any]:
        """The replica's own view of its one channel; empty if it follows nobody."""
        rows = self.ask("SHOW SLAVE STATUS")
        return rows[0] if rows else {}

    @property
    def replicates(self) -> bool:
        """Whether both of the replica's threads run."""
        status = self.replication()
        return (status.get("Slave_IO_Running"), status.get("Slave_SQL_Running")) == ("Yes", "Yes")

    def _write(self, path: Path, text: str) -> None:
        write_private(path, text)
        self._account.give(path)
