"""Real MariaDB servers for tests: one, or a primary with a GTID replica, and their faults.

Each server runs in its own folder, on loopback and a free port, as an ordinary user (MariaDB
refuses root), is ready when the call returns, and is gone afterwards.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pymysql
import pytest
from pymysql.cursors import DictCursor

from probes import Address, Secret, Target
from tests.servers.machine import free_port
from tests.support.used import note

PACKAGES = "mariadb-server mariadb-client"
ORDINARY = "nobody"
PATIENCE_SECONDS = 60.0
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
    if os.getuid() != 0:
        return {}
    ordinary = pwd.getpwnam(ORDINARY)
    return {"user": ordinary.pw_uid, "group": ordinary.pw_gid, "extra_groups": []}


class MariaDB:
    """One server process. ``start`` and ``stop`` may be called as often as a test likes."""

    title = "MariaDB"
    reload_tls = "FLUSH SSL"

    def __init__(self, folder: Path, server_id: int, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "db.sock"
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
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> MariaDB:
        """Start and return once it answers."""
        defaults = self.folder / "my.cnf"
        defaults.write_text("[mysqld]\n" + "\n".join(self._options) + "\n", encoding="utf-8")
        self._process = subprocess.Popen(
            [self._program(), f"--defaults-file={defaults}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **as_ordinary(),
        )
        eventually(self._answers, f"{self.title} in {self.folder} answers")
        note(self.title, str(self.sql("SELECT version() AS v")[0]["v"]))
        return self

    def stop(self) -> None:
        """Shut down, or kill when it does not listen; nothing is left of it."""
        if self._process is None or self._process.poll() is not None:
            self._process = None
            return
        self.thaw()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        self._process = None

    def kill(self) -> None:
        """Die at once, as in a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Stop the process without ending it: its kernel still accepts and acknowledges."""
        assert self._process is not None
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: _state(pid) == "T", "the server process is stopped")

    def thaw(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGCONT)

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
        return pymysql.connections.Connection(
            unix_socket=str(self.socket),
            user=self._administrator(),
            database=database,
            autocommit=True,
            cursorclass=DictCursor,
            ssl_disabled=True,
            connect_timeout=PATIENCE_SECONDS,
            read_timeout=PATIENCE_SECONDS,
            write_timeout=PATIENCE_SECONDS,
        )

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Run statements as the administrator; the rows of the last one."""
        with self.admin() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

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
        """This server as the agent would be told of it."""
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

    def _program(self) -> str:
        return binary("mariadbd")

    def _administrator(self) -> str:
        return pwd.getpwuid(os.getuid()).pw_name

    def _answers(self) -> bool:
        process = self._process
        if process is not None and process.poll() is not None:
            log = self.folder / "error.log"
            said = log.read_text(errors="replace")[-3000:] if log.exists() else "no error log"
            pytest.fail(f"{self.title} ended with {process.returncode}:\n{said}", pytrace=False)
        with suppress(pymysql.err.MySQLError):
            self.admin().close()
            return True
        return False


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


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
        """Remove the row that was in the way, and go on."""
        with self.replica.admin() as local, local.cursor() as cursor:
            cursor.execute("SET sql_log_bin=0")
            cursor.execute(f"DELETE FROM {table}")
        self.replica.sql("START SLAVE SQL_THREAD")
        eventually(self.running, "both replication threads run again")


class Holder:
    """A session that holds a lock until it is told to let go."""

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
    """A session whose statement waits for somebody's lock, in a thread of its own."""

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
    if os.getuid() == 0:
        ordinary = pwd.getpwnam(ORDINARY)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ordinary.pw_uid, ordinary.pw_gid)


def install(folder: Path, base: Path | None = None) -> None:
    """Fill ``folder/data`` with the system tables; our own OS user is the administrator.

    ``base``: where another version's programs were unpacked.
    """
    prepared(folder)
    own = [f"--basedir={base}"] if base else []
    done = subprocess.run(
        [
            str(base / "bin" / "mariadb-install-db") if base else binary("mariadb-install-db"),
            "--no-defaults",
            *own,
            f"--datadir={folder / 'data'}",
            f"--tmpdir={folder / 'tmp'}",
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={pwd.getpwuid(os.getuid()).pw_name}",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        **as_ordinary(),
    )
    if done.returncode:
        pytest.fail(f"mariadb-install-db failed:\n{done.stdout}\n{done.stderr}", pytrace=False)


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
