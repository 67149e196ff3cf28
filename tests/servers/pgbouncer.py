"""A real PgBouncer in front of a real PostgreSQL, as an ordinary user on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from probes import Address, Secret, Target
from probes.registry import engine
from tests.servers.machine import free_port, ordinary_user, until
from tests.servers.postgres_programs import new_folder
from tests.servers.postgresql import MONITOR, MONITOR_PASSWORD, Server
from tests.support import used

DATABASE = "simpeg"
"""What applications call the database behind the pooler."""
CLERK = "petugas"
ADMIN = "pengelola"
STRANGER = "orang_luar"
"""PgBouncer knows this one, and does not let it look."""

SETTINGS = {
    "auth_type": "scram-sha-256",
    "admin_users": ADMIN,
    "pool_mode": "transaction",
    "default_pool_size": "2",
    "max_client_conn": "20",
    "server_login_retry": "1",
    "server_connect_timeout": "5",
}


def program() -> str:
    """``SIGAP_PGBOUNCER``, or the machine's own; fails the test, loudly, when there is none."""
    if named := os.environ.get("SIGAP_PGBOUNCER"):
        return named
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if found is None:
        pytest.fail("no PgBouncer to test: apt-get install --no-install-recommends pgbouncer")
    return found


class PgBouncer:
    """One pooler in front of one server, and hands to use and break it."""

    def __init__(
        self, folder: Path, server: Server, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.server = server
        self.port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    # -- life ---------------------------------------------------------------------------------

    def create(self) -> None:
        """Its files, with the account of the monitor made by the lines that are printed."""
        account, stats = (
            grant.sql.format(user=MONITOR).replace("CHANGE-ME", MONITOR_PASSWORD)
            for grant in engine("pgbouncer").base_grants
        )
        people = [f'"{name}" "{name}"' for name in (CLERK, ADMIN, STRANGER)]
        (self.folder / "users.txt").write_text("\n".join((account, *people)) + "\n")
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_file": str(self.folder / "users.txt"),
            "logfile": str(self.folder / "pgbouncer.log"),
            **self.settings,
        }
        behind = f"host={self.server.folder} port={self.server.port} dbname=postgres"
        lines = ["[databases]", f"{DATABASE} = {behind}", "[pgbouncer]", stats]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (self.folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        user = ordinary_user()
        for path in (self.folder, *self.folder.iterdir()):
            if user is not None:
                shutil.chown(path, user)

    def start(self) -> None:
        """Start and wait until the console takes logins."""
        self._process = subprocess.Popen(
            [program(), "-q", str(self.folder / "pgbouncer.ini")],
            user=ordinary_user(),
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._is_ready, "PgBouncer taking logins")
        used.note("PgBouncer", str(self.admin("SHOW VERSION")[0][0]).split()[-1])

    def _is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"PgBouncer ended while starting:\n{self.log()}")
        try:
            self.connect("pgbouncer", ADMIN).close()
        except psycopg2.OperationalError:
            return False
        return True

    def log(self) -> str:
        """What it wrote."""
        file = self.folder / "pgbouncer.log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "PgBouncer was not started"
        return self._process.pid

    def stop(self) -> None:
        """End it at once."""
        if self._process is None:
            return
        self.thaw()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        """SIGSTOP: the kernel still accepts connections for it."""
        process = psutil.Process(self.pid)
        process.suspend()
        until(lambda: process.status() == psutil.STATUS_STOPPED, "PgBouncer standing still")

    def thaw(self) -> None:
        """SIGCONT, if it is frozen."""
        if self._process is not None and self._process.poll() is None:
            psutil.Process(self.pid).resume()

    # -- using it -----------------------------------------------------------------------------

    def connect(self, database: str = DATABASE, user: str = CLERK) -> Any:
        """A client's connection; autocommit."""
        password = MONITOR_PASSWORD if user == MONITOR else user
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=user, password=password, dbname=database
        )
        connection.autocommit = True
        return connection

    def admin(self, command: str) -> list[Any]:
        """A command on the admin console; its rows, if it has any."""
        connection = self.connect("pgbouncer", ADMIN)
        try:
            with connection.cursor() as cursor:
                cursor.execute(command)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def waiting(self) -> int:
        """How many clients wait for a server connection."""
        connection = self.connect("pgbouncer", ADMIN)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW POOLS")
                column = [each.name for each in cursor.description].index("cl_waiting")
                return sum(int(row[column]) for row in cursor.fetchall())
        finally:
            connection.close()

    @contextmanager
    def holding(self, number: int) -> Iterator[None]:
        """So many clients sit in a transaction each, and keep a server connection for it."""
        with ExitStack() as stack:
            for _ in range(number):
                connection = self.connect()
                stack.callback(connection.close)
                connection.autocommit = False
                connection.cursor().execute("select 1")
            yield

    @contextmanager
    def queueing(
        self,
        number: int,
        at_least_seconds: float = 0.0,
        *,
        taken: int = 0,
        statement: str = "select 1",
    ) -> Iterator[None]:
        """So many clients ask and get no server connection; yields once all wait.

        ``taken``: so many more come before them, and take what connections there are.
        """
        clients = [_Asker(self.port, statement) for _ in range(taken + number)]
        try:
            until(lambda: self.waiting() >= number, f"{number} clients waiting")
            if at_least_seconds:
                until(lambda: self._longest() >= at_least_seconds, f"{at_least_seconds:g} s of it")
            yield
        finally:
            for client in clients:
                client.close()

    def _longest(self) -> int:
        connection = self.connect("pgbouncer", ADMIN)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW POOLS")
                column = [each.name for each in cursor.description].index("maxwait")
                return max(int(row[column]) for row in cursor.fetchall())
        finally:
            connection.close()

    def target(self, name: str = "pooler", **changes: Any) -> Target:
        """This pooler as a target, under the monitoring account, at the cluster's front."""
        address = Address(
            host="127.0.0.1",
            port=changes.pop("port", self.port),
            user=changes.pop("user", MONITOR),
            database=changes.pop("database", ""),
            password=Secret(changes.pop("password", MONITOR_PASSWORD)),
        )
        return Target(name, "pgbouncer", address, role="pooler", **changes)


class _Asker:
    """psql, since a client that waits needs a process or a thread of its own."""

    def __init__(self, port: int, statement: str) -> None:
        self._process = subprocess.Popen(
            [
                *("psql", "-qXAt", "-h", "127.0.0.1", "-p", str(port), "-U", CLERK, DATABASE),
                *("-c", statement),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": CLERK, "PGAPPNAME": "loket"},
        )

    def close(self) -> None:
        """End it, whether it got its answer or not."""
        self._process.kill()
        self._process.wait(30)


@contextmanager
def in_front_of(server: Server, settings: Mapping[str, str] | None = None) -> Iterator[PgBouncer]:
    """A pooler before ``server``, gone afterwards."""
    folder = new_folder()
    pooler = PgBouncer(folder, server, settings)
    try:
        server.sql(f"create role {CLERK} login password '{CLERK}'")
        pooler.create()
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        if server.running:
            server.sql(f"drop role if exists {CLERK}")
        shutil.rmtree(folder, ignore_errors=True)
