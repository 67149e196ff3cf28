"""A MariaDB server as the demo sets it up: one of the primary and the GTID replica of E-Surat.

The administrator needs a password even on the socket; all others come over loopback with their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from agent.demo.errors import DemoError
from agent.demo.home import write_private
from agent.demo.servers.account import Account
from agent.demo.servers.mariadb import MariaDB, install
from agent.demo.servers.process import ProgramError, wait_until
from probes import Text

START_SECONDS = 30.0
REPLICATOR = "replikator"
ANSWER_SECONDS = 10

SETTINGS = """\
[mariadbd]
datadir = {data}
socket = {socket}
tmpdir = {scratch}
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


class EsuratServer(MariaDB):
    """A MariaDB server of the demo; what goes wrong is told as a ``DemoError``."""

    limits: ClassVar[Mapping[str, Any]] = {
        "connect_timeout": 3,
        "read_timeout": ANSWER_SECONDS,
        "write_timeout": ANSWER_SECONDS,
    }

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
        socket, settings = sockets / f"{name}.sock", data.parent / f"{name}.cnf"
        super().__init__(name, data, socket, settings, log, account, port, records)
        self._number = number
        self._programs = programs
        self._password = password

    def program(self) -> str:
        return str(self._programs[0])

    def administrator(self) -> tuple[str, str]:
        return "root", self._password

    @property
    def made(self) -> bool:
        """Whether the data directory was created completely."""
        return (self.data / "mysql").is_dir() and not self._first.exists()

    @property
    def _first(self) -> Path:
        """SQL that the server runs at its very first start; deleted afterwards."""
        return self.data.parent / f"{self.name}.first.sql"

    @property
    def _scratch(self) -> Path:
        """Where it keeps temporary tables: a server that starts removes those it finds in /tmp."""
        return self.data.parent / f"{self.name}.tmp"

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
        try:
            install(
                self._programs[1],
                self.data,
                self._account,
                f"--tmpdir={self._account.folder(self._scratch)}",
                "--auth-root-authentication-method=normal",
                "--innodb-log-file-size=8M",
                "--innodb-buffer-pool-size=16M",
            )
        except ProgramError as error:
            raise DemoError(
                Text(
                    "mariadb-install-db for {name} failed: {words}. The demo can run "
                    "without MariaDB: --no-mariadb.",
                    name=self.name,
                    words=error.words,
                )
            ) from None

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
                scratch=self._account.folder(self._scratch),
                port=self.port,
                number=self._number,
                read_only=int(read_only),
            ),
        )

    def start(self) -> None:
        """Start it and wait until it answers; raises ``DemoError`` with the end of its log."""
        self.launch(*([f"--init-file={self._first}"] if self._first.exists() else []))
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

    def follow(self, primary: EsuratServer, password: str) -> None:
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
