"""A PostgreSQL primary with its streaming replica, durable and archiving as in an office."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2

from probes import Target
from tests.lab.scenario import PRIMARY, REPLICA
from tests.lab.volume import Volume, mounted
from tests.servers import postgresql
from tests.servers.dripping import DrippingProxy
from tests.servers.machine import until
from tests.servers.postgres_programs import run

SETTINGS = {
    # The shared fixtures switch these off to be quick; here an unsafe setting would be a fault.
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "archive_mode": "on",
    "max_connections": "40",
    "wal_receiver_status_interval": "1s",
    "wal_sender_timeout": "10s",
    "log_min_messages": "fatal",
}

CLERK = "petugas"
PIECE_MEGABYTES = 20
"""More than a segment, and far less than max_slot_wal_keep_size."""


class World:
    """The pair, and hands to break it with."""

    engine = flavour = "postgresql"
    title = "PostgreSQL"
    ruined = False
    rest_seconds = 0.0

    def __init__(
        self,
        pair: postgresql.PostgresPair,
        volume: Volume | None = None,
        data: Volume | None = None,
    ) -> None:
        self.volume = volume  # holds the primary's WAL
        self.data = data  # holds its databases and temporary files
        self.pair = pair
        self.primary = pair.primary
        self.replica = pair.replica
        self.shown_version = str(self.primary.sql("show server_version")[0][0]).split()[0]
        self.version = int(self.primary.sql("show server_version_num")[0][0])
        self.backups = self.primary.folder / "cadangan"  # there only where a scenario makes it
        self.proxy = DrippingProxy(self.primary.port)
        self.replica_proxy = DrippingProxy(self.replica.port)

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]:
        labels = {"backup": str(self.backups)}
        primary = self.primary.target(PRIMARY, cluster="lab", role=PRIMARY, labels=labels)
        if self.data is not None:
            primary = replace(primary, volumes={"data": str(self.data.path)})
        replica = self.replica.target(REPLICA, cluster="lab", role=REPLICA)
        if through_proxy:
            primary = replace(primary, address=replace(primary.address, port=self.proxy.port))
            away = replace(replica.address, port=self.replica_proxy.port)
            replica = replace(replica, address=away)
        return primary, replica

    def is_whole(self) -> bool:
        """Both run, and the replica has caught up."""
        with suppress(psycopg2.Error):
            return self.pair.is_streaming()
        return False

    def wait_whole(self) -> None:
        until(self.is_whole, "both servers running and the replica caught up")

    go_on = wait_whole  # replication starts by itself

    def fill(self, megabytes: int) -> None:
        """Write that much WAL, in pieces the replica has read before the next: however slow the
        machine, its slot does not fall behind for it.
        """
        for left in range(megabytes, 0, -PIECE_MEGABYTES):
            self.primary.fill(min(left, PIECE_MEGABYTES))
            self.wait_whole()

    def power_cut(self) -> None:
        """The primary dies at once."""
        self.primary.stop(hard=True)

    def power_back(self) -> None:
        """It starts, and once more in order: the crash is history."""
        self.primary.start()
        self.primary.restart()

    @contextmanager
    def session(
        self,
        *statements: str,
        name: str = "impor_gaji",
        database: str = "postgres",
        on_replica: bool = False,
    ) -> Iterator[Any]:
        """An application's session that has begun a transaction and stays in it."""
        server = self.replica if on_replica else self.primary
        connection = server.connect(database)
        connection.autocommit = False
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"set application_name = '{name}'")
                for statement in statements:
                    cursor.execute(statement)
            yield connection
        finally:
            connection.close()

    @contextmanager
    def waiters(self, number: int, statement: str, at_least_seconds: float = 0.0) -> Iterator[None]:
        """So many sessions run ``statement``; yields once all of them wait for a lock, so long."""
        threads = [threading.Thread(target=self._ask, args=(statement,)) for _ in range(number)]
        for thread in threads:
            thread.start()
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
            f"and clock_timestamp() - query_start > interval '{at_least_seconds} s'"
        )
        try:
            until(
                lambda: self.primary.sql(waiting)[0][0] >= number,
                f"{number} sessions waiting {at_least_seconds:g} s",
            )
            yield
        finally:
            self.primary.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where wait_event_type = 'Lock' and application_name = 'loket'"
            )
            for thread in threads:
                thread.join(30)

    def slot_status(self, name: str) -> str:
        """wal_status of a slot of the primary."""
        asked = "select wal_status from pg_replication_slots where slot_name = %s"
        return str(self.primary.sql(asked, name)[0][0])

    def rebuild_replica(self) -> None:
        """Delete the replica and copy it again from the primary."""
        self.replica.stop()
        shutil.rmtree(self.replica.data)
        run(
            [
                *(str(postgresql.bindir() / "pg_basebackup"), "-h", str(self.primary.folder)),
                *("-p", str(self.primary.port), "-U", postgresql.SUPERUSER),
                *("-D", str(self.replica.data), "-S", self.pair.slot, "-R"),
                *("-c", "fast", "-X", "stream", "--no-sync"),
            ]
        )
        self.replica.start()
        self.wait_whole()

    def connect_as_clerk(self) -> Any:
        """A session of an ordinary account; raises the driver's error when there is no slot."""
        return psycopg2.connect(
            host=str(self.primary.folder), port=self.primary.port, user=CLERK, password=CLERK,
            dbname="postgres",
        )  # fmt: skip

    def _ask(self, statement: str) -> None:
        connection = self.primary.connect()
        # Being terminated while it waits is how a waiter ends.
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("set application_name = 'loket'")
            cursor.execute(statement)
        connection.close()

    @contextmanager
    def hba(self, line: str) -> Iterator[None]:
        """A line put before all others of the primary's pg_hba.conf."""
        file = self.primary.data / "pg_hba.conf"
        before = file.read_text()
        rules = "select count(*) from pg_hba_file_rules"

        def become(text: str) -> None:
            file.write_text(text)
            loaded = self.primary.sql("select pg_conf_load_time()")[0][0]
            self.primary.sql("select pg_reload_conf()")
            until(
                lambda: self.primary.sql("select pg_conf_load_time()")[0][0] > loaded,
                "pg_hba.conf being read again",
            )
            assert self.primary.sql(f"{rules} where error is not null")[0][0] == 0

        become(f"{line}\n{before}")
        try:
            yield
        finally:
            become(before)

    @contextmanager
    def setting(self, name: str, value: str, *, on_replica: bool = False) -> Iterator[None]:
        """A setting changed by ALTER SYSTEM and a reload."""
        server = self.replica if on_replica else self.primary

        asked = "select setting from pg_settings where name = %s"
        before = server.sql(asked, name)[0][0]

        def become(wanted: str) -> None:
            quoted = wanted.replace("'", "''")
            server.sql(f"alter system set {name} = '{quoted}'")
            server.sql("select pg_reload_conf()")
            until(lambda: server.sql(asked, name)[0][0] == wanted, f"{name} being {wanted}")

        become(value)
        try:
            yield
        finally:
            become(before)


@contextmanager
def world(settings: dict[str, str] | None = None) -> Iterator[World]:
    """A world of its own, gone afterwards."""
    with ExitStack() as stack:
        pair = stack.enter_context(postgresql.pair({**SETTINGS, **(settings or {})}))
        pair.primary.sql("create table pegawai (id int primary key, gaji int)")
        pair.primary.sql("insert into pegawai select n, 0 from generate_series(1, 1000) n")
        pair.primary.sql(f"create role {CLERK} login password '{CLERK}'")
        pair.primary.sql(f"grant all on all tables in schema public to {CLERK}")
        # Not as options of the program, which nothing could change while it runs.
        pair.primary.sql("alter system set archive_command = '/bin/true'")
        kept = pair.primary.settings.pop("max_slot_wal_keep_size")
        pair.primary.sql(f"alter system set max_slot_wal_keep_size = '{kept}'")
        for server in (pair.primary, pair.replica):  # a new replica has the primary's
            server.sql("alter system set max_standby_streaming_delay = -1")
            server.sql("select pg_reload_conf()")
        pair.primary.stop()
        volume = stack.enter_context(mounted(pair.primary.data / "pg_wal", 800))
        data = stack.enter_context(mounted(pair.primary.data / "base", 600))
        # A mount point would be removed with the data directory: unmount before removing the pair.
        stack.callback(pair.stop)
        pair.primary.start()
        made = World(pair, volume, data)
        made.wait_whole()
        try:
            yield made
        finally:
            made.proxy.close()
            made.replica_proxy.close()
