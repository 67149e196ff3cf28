"""Real MariaDB servers for tests: one, or a primary with a GTID replica, and their faults.

Each server runs in its own folder, on loopback and a free port, as an ordinary user (MariaDB
refuses root), is ready when the call returns, and is gone afterwards.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pymysql
import pytest
from pymysql.cursors import DictCursor

from agent.demo.servers import mariadb as servers_of_demo
from agent.demo.servers import process
from probes import Address, Secret, Target
from tests.servers.machine import free_port, ordinary_account
from tests.support.used import note

PACKAGES = "mariadb-server mariadb-client"
PATIENCE_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 30.0
MONITOR, MONITOR_PASSWORD = "sigap", "rahasia-uji"
GOOD = TypeVar("GOOD")

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[DictCursor]


def binary(name: str, packages: str = PACKAGES) -> str:
    """The full path of a program; without it the test fails, saying how to get it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.fail(
            f"{name} is not installed; run: apt-get install --no-install-recommends {packages}",
            pytrace=False,
        )
    return found


def eventually(
    ask: Callable[[], GOOD | None], what: str, seconds: float = PATIENCE_SECONDS
) -> GOOD:
    """What ``ask`` gives once it gives something true. Fails the test when it never does."""
    until = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > until:
            pytest.fail(f"never happened within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def as_ordinary() -> dict[str, Any]:
    """Arguments of ``subprocess`` that step down from root."""
    return ordinary_account().popen()


class MariaDB(servers_of_demo.MariaDB):
    """One server process. ``start`` and ``stop`` may be called as often as a test likes."""

    title = "MariaDB"
    reload_tls = "FLUSH SSL"
    limits: ClassVar[Mapping[str, Any]] = {
        "ssl_disabled": True,
        "connect_timeout": PATIENCE_SECONDS,
        "read_timeout": PATIENCE_SECONDS,
        "write_timeout": PATIENCE_SECONDS,
    }

    def __init__(self, folder: Path, server_id: int, options: Sequence[str] = ()) -> None:
        super().__init__(
            folder.name,
            folder / "data",
            folder / "db.sock",
            folder / "my.cnf",
            folder / "output.log",
            ordinary_account(),
            free_port(),
        )
        self.folder = folder
        self._options = [
            f"datadir={folder / 'data'}",
            f"socket={self.socket}",
            f"port={self.port}",
            "bind-address=127.0.0.1",
            "skip-name-resolve",
            f"pid-file={folder / 'db.pid'}",
            f"log-error={folder / 'error.log'}",
            f"tmpdir={folder / 'tmp'}",
            f"server-id={server_id}",
            f"log-bin={folder / 'binlog' / 'binlog'}",
            f"relay-log={folder / 'relay' / 'relay'}",
            "log-slave-updates=ON",
            "binlog-format=ROW",
            "gtid-strict-mode=ON",
            "skip-slave-start=ON",
            "slave-net-timeout=5",
            "innodb-buffer-pool-size=16M",
            "innodb-log-file-size=8M",
            "innodb-flush-log-at-trx-commit=0",
            "innodb-lock-wait-timeout=120",
            "sync-binlog=0",
            "max-connections=60",
            "character-set-server=utf8mb4",
            *options,
        ]

    def start(self) -> None:
        """Start and return once it answers."""
        lines = "\n".join(["[mysqld]", *self._options, ""])
        self.settings.write_text(lines, encoding="utf-8")
        self.launch()
        eventually(self._answers, f"{self.title} in {self.folder} answers")
        note(self.title, str(self.sql("SELECT version() AS v")[0]["v"]))

    def stop(self) -> None:
        """Shut down, or kill when it does not listen; nothing is left of it."""
        self.server.stop(STOPPED_WITHIN_SECONDS)

    def kill(self) -> None:
        """Die at once, as in a power cut."""
        self.server.stop(by=signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process without ending it: its kernel still accepts and acknowledges."""
        record = self.server.record
        assert record is not None, f"{self.title} was not started"
        process.freeze(record)
        eventually(lambda: process.standing_still(record), "the server process is stopped")

    def thaw(self) -> None:
        if self.server.record is not None:
            process.thaw(self.server.record)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()
            eventually(self._answers, "the thawed server answers again")

    def admin(self, database: str | None = None) -> Connection:
        """A session of the administrator, over the socket; the caller closes it."""
        session: Connection = self.connect(database=database)
        return session

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Run statements as the administrator; the rows of the last one."""
        return self.ask(*statements)

    def grant_monitor(self, grants: Sequence[str], user: str = MONITOR) -> None:
        """Make the monitoring account from the lines that ``sigap grants`` prints."""
        for line in grants:
            self.sql(line.format(user=f"'{user}'@'%'"))
        self.sql(f"ALTER USER '{user}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'")

    def row_waits(self, at_least: int) -> None:
        """Wait until that many sessions wait for a row lock.

        Not read from INNODB_TRX: its copy is renewed only when nobody has read it for 0.1 s, so
        asking in a tight loop shows the same old answer for ever.
        """
        ask = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
        eventually(
            lambda: int(self.sql(ask)[0]["Value"]) >= at_least, f"{at_least} sessions wait for rows"
        )

    def metadata_waits(self, at_least: int) -> None:
        """Wait until that many sessions wait for a table's metadata lock."""
        ask = (
            "SELECT count(*) AS n FROM information_schema.PROCESSLIST "
            "WHERE STATE = 'Waiting for table metadata lock'"
        )
        eventually(
            lambda: int(self.sql(ask)[0]["n"]) >= at_least, f"{at_least} sessions wait for a table"
        )

    def target(self, *, user: str = MONITOR, tcp: bool = True, **changes: Any) -> Target:
        """This server as a target of the agent."""
        options = changes.pop("options", {})
        password = changes.pop("password", MONITOR_PASSWORD)
        address = Address(
            "127.0.0.1" if tcp else str(self.socket),
            self.port,
            user,
            password=Secret(password),
            options=options,
        )
        return Target(changes.pop("name", "db"), "mysql", address, **changes)

    def with_option(self, *options: str) -> None:
        """Add lines to the configuration; they count from the next start."""
        self._options += options

    @contextmanager
    def restarted_with(self, *options: str) -> Iterator[None]:
        """Restart with these lines as well, and without them afterwards."""
        before = list(self._options)
        try:
            self.stop()
            self._options = [*before, *options]
            self.start()
            yield
        finally:
            self.stop()
            self._options = before
            self.start()

    def program(self) -> str:
        return binary("mariadbd")

    def administrator(self) -> tuple[str, str]:
        return pwd.getpwuid(os.getuid()).pw_name, ""

    def _answers(self) -> bool:
        if not self.server.running():
            log = self.folder / "error.log"
            said = log.read_text(errors="replace")[-3000:] if log.exists() else "no error log"
            said += self.server.last_words()
            pytest.fail(f"{self.title} ended while starting:\n{said}", pytrace=False)
        with suppress(pymysql.err.MySQLError):
            self.admin().close()
            return True
        return False


class MariaDBPair:
    """A primary and its GTID replica (default channel), replicating."""

    def __init__(self, primary: MariaDB, replica: MariaDB) -> None:
        self.primary = primary
        self.replica = replica

    def replicate(self) -> None:
        """Point the replica at the primary and wait until both threads run."""
        self.primary.sql(
            "CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY 'repl-uji'",
            "GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'",
        )
        self.replica.sql(
            f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={self.primary.port}, "
            "MASTER_USER='repl', MASTER_PASSWORD='repl-uji', MASTER_CONNECT_RETRY=1, "
            "MASTER_USE_GTID=slave_pos",
            "START SLAVE",
        )
        eventually(self.running, "both replication threads run")

    def channel(self) -> dict[str, Any]:
        """The replica's own report."""
        return self.replica.sql("SHOW ALL SLAVES STATUS")[0]

    def running(self) -> bool:
        row = self.channel()
        return bool(row["Slave_IO_Running"] == row["Slave_SQL_Running"] == "Yes")

    def caught_up(self) -> bool:
        """Whether the replica has applied all the primary has written."""
        there = self.primary.sql("SELECT @@gtid_binlog_pos AS p")[0]["p"]
        here = self.replica.sql("SELECT @@gtid_slave_pos AS p")[0]["p"]
        return bool(there == here)

    def break_sql_thread(self, table: str) -> None:
        """The same key on both sides: the applier stops with error 1062."""
        self.primary.sql(
            f"CREATE TABLE {table} (id INT PRIMARY KEY, nik VARCHAR(20)) ENGINE=InnoDB"
        )
        eventually(self.caught_up, f"{table} is on the replica")
        with self.replica.admin() as local, local.cursor() as cursor:
            cursor.execute("SET sql_log_bin=0")
            cursor.execute(f"INSERT INTO {table} VALUES (6471, '3171234567890001')")
        self.primary.sql(f"INSERT INTO {table} VALUES (6471, '3171234567890001')")
        eventually(lambda: self.channel()["Last_SQL_Errno"] == 1062, "the applier hits the key")

    def mend_sql_thread(self, table: str) -> None:
        """Remove the conflicting row, and continue."""
        with self.replica.admin() as local, local.cursor() as cursor:
            cursor.execute("SET sql_log_bin=0")
            cursor.execute(f"DELETE FROM {table}")
        self.replica.sql("START SLAVE SQL_THREAD")
        eventually(self.running, "both replication threads run again")


class Holder:
    """A session that holds a lock until it is told to release it."""

    def __init__(self, server: MariaDB, *statements: str) -> None:
        self._connection = server.admin()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT connection_id() AS id")
            self.id = int((cursor.fetchone() or {})["id"])
            cursor.execute("BEGIN")
            for statement in statements:
                cursor.execute(statement)
                cursor.fetchall()

    def let_go(self) -> None:
        self._connection.close()


class Waiter:
    """A session in a separate thread whose statement waits for a lock."""

    def __init__(self, server: MariaDB, *statements: str) -> None:
        self._server = server
        self._connection = server.admin()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT connection_id() AS id")
            self.id = int((cursor.fetchone() or {})["id"])
        self._thread = threading.Thread(target=self._wait, args=(statements,), daemon=True)
        self._thread.start()

    def gone(self) -> None:
        """End it, waiting or not."""
        with suppress(pymysql.err.MySQLError):
            self._server.sql(f"KILL {self.id}")
        self._thread.join(PATIENCE_SECONDS)
        self._connection.close()

    def _wait(self, statements: Sequence[str]) -> None:
        # being killed, or losing a wait, is how these end
        with suppress(pymysql.err.MySQLError), self._connection.cursor() as cursor:
            for each in statements:
                cursor.execute(each)
                cursor.fetchall()


def prepared(folder: Path) -> None:
    """Make the folders a server writes to, and give all of them to the ordinary user."""
    folder.chmod(0o755)
    for name in ("data", "tmp", "binlog", "relay"):
        (folder / name).mkdir(exist_ok=True)
    account = ordinary_account()
    for path in (folder, *folder.rglob("*")):
        account.give(path)


def install(folder: Path, base: Path | None = None) -> None:
    """Fill ``folder/data`` with the system tables; our own OS user is the administrator.

    ``base``: where another version's programs were unpacked.
    """
    prepared(folder)
    own = [f"--basedir={base}"] if base else []
    program = base / "bin" / "mariadb-install-db" if base else binary("mariadb-install-db")
    try:
        servers_of_demo.install(
            program,
            folder / "data",
            ordinary_account(),
            *own,
            f"--tmpdir={folder / 'tmp'}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={pwd.getpwuid(os.getuid()).pw_name}",
        )
    except process.ProgramError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def servers(count: int, options: Sequence[str] = ()) -> Iterator[list[MariaDB]]:
    """``count`` running servers made from one installation, and nothing left afterwards."""
    with tempfile.TemporaryDirectory(prefix="sgp-", ignore_cleanup_errors=True) as made:
        base = Path(made)
        base.chmod(0o755)
        folders = [base / f"db{number}" for number in range(1, count + 1)]
        folders[0].mkdir()
        install(folders[0])
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)
            prepared(folder)
        running = [MariaDB(folder, number, options) for number, folder in enumerate(folders, 1)]
        try:
            for server in running:
                server.start()
            yield running
        finally:
            for server in reversed(running):
                server.stop()


@contextmanager
def pair(grants: Sequence[str]) -> Iterator[MariaDBPair]:
    """A replicating pair whose monitoring account has exactly ``grants``."""
    with servers(2) as (primary, replica):
        both = MariaDBPair(primary, replica)
        both.replicate()
        primary.grant_monitor(grants)
        primary.sql("CREATE DATABASE app")
        eventually(both.caught_up, "the account and the schema are on the replica")
        yield both
