"""Real PostgreSQL servers for tests: a single one, or a primary with a streaming replica.

They run as an ordinary user, on free loopback ports, in a folder of their own, and are ended by
their own pid. Readiness and every fault are waited for by condition, never by the clock alone.

Programs: ``tests.servers.postgres_programs``; ``tests.servers.containers`` runs the official
image instead where that is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from agent.demo.servers import process
from agent.demo.servers.postgresql import SUPERUSER, PostgreSQL
from probes import Address, Secret, Target
from probes.registry import engine, probes_for
from tests.servers.machine import free_port, ordinary_account, ordinary_user, until
from tests.servers.postgres_programs import bindir, new_folder
from tests.support import used

__all__ = [
    "SUPERUSER",
    "PostgresPair",
    "Server",
    "bindir",
    "free_port",
    "ordinary_user",
    "pair",
    "single",
    "until",
]

STOPPED_WITHIN_SECONDS = 30.0
MONITOR = "sigap"
MONITOR_PASSWORD = "kata-sandi-pemantau"
NO_RIGHTS = "buta"
"""An account that may log in and has no rights: for what a missing grant looks like."""

_HBA = f"""\
local all         {SUPERUSER} trust
local replication {SUPERUSER} trust
local all         all         scram-sha-256
host  all         {MONITOR},{NO_RIGHTS} 127.0.0.1/32 scram-sha-256
"""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "replica",
    "max_wal_senders": "5",
    "max_replication_slots": "5",
    "max_prepared_transactions": "5",
    "max_connections": "30",
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    "max_slot_wal_keep_size": "64MB",
    "deadlock_timeout": "200ms",
    "wal_retrieve_retry_interval": "200ms",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "16MB",
    "lc_messages": "C",
    "log_destination": "stderr",
}


class Server(PostgreSQL):
    """One PostgreSQL server: start, stop, freeze and the faults one server can have."""

    def __init__(
        self,
        folder: Path,
        name: str,
        settings: dict[str, str] | None = None,
        programs: Path | None = None,
    ) -> None:
        super().__init__(
            name,
            programs or bindir(),
            folder / name,
            folder,
            folder / f"{name}.log",
            ordinary_account(),
            free_port(),
        )
        self.folder = folder
        self.settings = {**_SETTINGS, **(settings or {})}
        self.environment: dict[str, str] = {}  # what the program gets beside its own

    # -- life ---------------------------------------------------------------------------------

    def create(self) -> None:
        """initdb, with password logins for everybody but the superuser on the socket."""
        self.initdb()
        (self.data / "pg_hba.conf").write_text(_HBA)

    def start(self) -> None:
        """Start and wait until the server takes logins."""
        self.launch()
        until(self._is_ready, f"{self.name} taking logins")
        used.note("PostgreSQL", str(self.sql("show server_version")[0][0]).split()[0])

    def launch(self, *options: str, environment: Mapping[str, str] | None = None) -> None:
        """Start without waiting, to test what a starting server answers."""
        settings = {
            **self.settings,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        ours = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"}
        super().launch(
            *(f"--{name}={value}" for name, value in settings.items()),
            *options,
            environment=self.environment | ours | dict(environment or {}),
        )

    def _is_ready(self) -> bool:
        if not self.running:
            pytest.fail(f"{self.name} ended while starting:\n{self.log_tail()}")
        return self.answers()

    def log_tail(self, characters: int = 2000) -> str:
        """The end of the server's log."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")[-characters:]

    @property
    def pid(self) -> int:
        """The postmaster's pid."""
        return self.server.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self.server.running()

    def stop(self, *, hard: bool = False) -> None:
        """End the server: a fast shutdown, or as if the power had gone."""
        self.server.stop(STOPPED_WITHIN_SECONDS, by=signal.SIGQUIT if hard else None)

    def restart(self) -> None:
        """Stop and start again, on the same port."""
        self.stop()
        self.start()

    # -- faults -------------------------------------------------------------------------------

    def freeze(self) -> None:
        """SIGSTOP to the postmaster first, so that nothing new is forked, then to its children."""
        record = self._started()
        process.freeze(record)
        until(lambda: process.standing_still(record), f"{self.name} standing still")

    def _started(self) -> process.Record:
        assert self.server.record is not None, f"{self.name} was not started"
        return self.server.record

    def begin_smart_shutdown(self) -> None:
        """Ask it to end once every client has gone; it refuses new ones from now on."""
        os.kill(self.pid, signal.SIGTERM)

    @contextmanager
    def busy_client(self) -> Iterator[Any]:
        """A superuser's session that stays open meanwhile."""
        connection = self.connect()
        try:
            yield connection
        finally:
            connection.close()

    def thaw(self) -> None:
        """SIGCONT to everything that was frozen."""
        if self.server.record is not None:
            process.thaw(self.server.record)

    def sql(self, statement: str, *parameters: object, database: str = "postgres") -> list[Any]:
        """Run one statement as superuser; its rows, if it has any."""
        return self.ask(statement, parameters or None, database)

    @contextmanager
    def hold_lock(self, table: str, victims: int = 1, database: str = "postgres") -> Iterator[int]:
        """A session idle in transaction that holds ``table``'s row 1, and who waits behind it.

        Yields the holder's pid once every victim waits. The table is made when missing.
        """
        self.sql(
            f"create table if not exists {table} (id int primary key, v int)", database=database
        )
        self.sql(f"insert into {table} values (1, 0) on conflict do nothing", database=database)
        holder = self.connect(database)
        holder.autocommit = False
        waiting = [self._waiting_update(table, database) for _ in range(victims)]
        try:
            with holder.cursor() as cursor:
                cursor.execute("set application_name = 'si-pemegang'")
                cursor.execute(f"update {table} set v = 41 where id = 1")
            pid = int(holder.info.backend_pid)
            for each in waiting:
                assert each.stdin is not None
                each.stdin.write(f"update {table} set v = v + 1 where id = 1;\n".encode())
                each.stdin.close()
            until(lambda: self._waiters() >= victims, f"{victims} sessions waiting")
            yield pid
        finally:
            holder.close()
            for each in waiting:
                each.wait(30)

    def _waiting_update(self, table: str, database: str) -> subprocess.Popen[bytes]:
        """psql, since a session that waits needs a process or a thread of its own."""
        return subprocess.Popen(
            [
                *(str(self.programs / "psql"), "-qX", "-h", str(self.folder), "-p", str(self.port)),
                *("-U", SUPERUSER, database),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "PGAPPNAME": "si-korban"},
        )

    def _waiters(self) -> int:
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        return int(self.sql(waiting)[0][0])

    def fill(self, megabytes: int) -> None:
        """Write that much WAL; what it needed a table for is gone when it returns."""
        self.sql("create table if not exists fill_me (id int, pad text)")
        self.sql("truncate fill_me")
        self.sql(
            "insert into fill_me select n, repeat(md5(n::text), 32) from generate_series(1, %s) n",
            megabytes * 1000,
        )
        self.sql("truncate fill_me")

    @contextmanager
    def trusted(self, user: str) -> Iterator[None]:
        """Let ``user`` in over the socket without a password."""
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"local all {user} trust\n{_HBA}")
        self.sql("select pg_reload_conf()")
        until(lambda: self._lets_in(user), f"{user} being let in")
        try:
            yield
        finally:
            rules.write_text(_HBA)
            self.sql("select pg_reload_conf()")

    def _lets_in(self, user: str) -> bool:
        try:
            self.connect(user=user).close()
        except psycopg2.OperationalError:
            return False
        return True

    # -- the monitoring account ---------------------------------------------------------------

    def create_monitor(self) -> None:
        """The agent's account, by the very lines ``grants`` prints, and one without any right."""
        declared = list(engine("postgresql").base_grants)
        for probe in probes_for("postgresql"):
            declared += [grant for grant in probe.grants if grant.flavour == "postgresql"]
        for statement in dict.fromkeys(grant.sql for grant in declared):
            self.sql(statement.format(user=MONITOR))
        self.sql(f"alter role {MONITOR} password '{MONITOR_PASSWORD}'")
        self.sql(f"create role {NO_RIGHTS} login password '{MONITOR_PASSWORD}'")

    def target(self, name: str = "", **changes: Any) -> Target:
        """This server as a target, over TCP, under the monitoring account."""
        address = Address(
            host=changes.pop("host_name", "127.0.0.1"),
            port=self.port,
            user=changes.pop("user", MONITOR),
            database=changes.pop("database", "postgres"),
            password=Secret(changes.pop("password", MONITOR_PASSWORD)),
            options=changes.pop("options", {}),
        )
        return Target(name or self.name, "postgresql", address, **changes)


class PostgresPair:
    """A primary and a replica that streams from it through the slot ``replica1``."""

    slot = "replica1"

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.primary = Server(folder, "primary", settings)
        self.replica = Server(folder, "replica", {**(settings or {}), "cluster_name": self.slot})

    def start(self) -> None:
        """Make both and wait until the replica streams."""
        self.primary.create()
        self.primary.start()
        self.primary.create_monitor()
        where = str(self.primary.folder), self.primary.port, SUPERUSER
        self.replica.basebackup(*where, "-C", "-S", self.slot, "-R")
        self.replica.start()
        self.wait_streaming()

    def stop(self) -> None:
        """End both."""
        self.replica.stop()
        self.primary.stop()

    def is_streaming(self) -> bool:
        """Whether the replica receives and has replayed everything."""
        rows = self.primary.sql(
            "select 1 from pg_stat_replication where state = 'streaming' "
            "and replay_lsn >= pg_current_wal_lsn()"
        )
        return bool(rows)

    def wait_streaming(self) -> None:
        """Wait until the replica streams and has caught up."""
        until(self.is_streaming, "the replica streaming")

    @contextmanager
    def paused_replay(self) -> Iterator[None]:
        """Replay is paused; WAL still arrives."""
        self.replica.sql("select pg_wal_replay_pause()")
        until(
            lambda: self.replica.sql("select pg_is_wal_replay_paused()")[0][0],
            "replay being paused",
        )
        try:
            yield
        finally:
            self.replica.sql("select pg_wal_replay_resume()")
            self.wait_streaming()

    @contextmanager
    def cut_receiver(self) -> Iterator[None]:
        """The replica runs and answers, but its WAL receiver cannot reach the primary."""
        right = self.replica.sql("show primary_conninfo")[0][0]
        wrong = re.sub(r"port=\d+", f"port={free_port()}", right)
        self._point_at(wrong)
        until(
            lambda: not self.replica.sql("select 1 from pg_stat_wal_receiver"),
            "the receiver ending",
        )
        try:
            yield
        finally:
            self._point_at(right)
            self.wait_streaming()

    def _point_at(self, conninfo: str) -> None:
        quoted = conninfo.replace("'", "''")
        self.replica.sql(f"alter system set primary_conninfo = '{quoted}'")
        self.replica.sql("select pg_reload_conf()")


@contextmanager
def single(
    settings: dict[str, str] | None = None, programs: Path | None = None
) -> Iterator[Server]:
    """One server with its monitoring account, gone afterwards; of ``programs`` when named."""
    folder = new_folder()
    server = Server(folder, "single", settings, programs)
    try:
        server.create()
        server.start()
        server.create_monitor()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def pair(settings: dict[str, str] | None = None) -> Iterator[PostgresPair]:
    """A primary and its replica, gone afterwards."""
    folder = new_folder()
    both = PostgresPair(folder, settings)
    try:
        both.start()
        yield both
    finally:
        both.stop()
        shutil.rmtree(folder, ignore_errors=True)
