"""A MariaDB or MySQL primary with its GTID replica, with durable settings as in an office."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pymysql

from probes import Grant, Target, registry
from tests.lab.scenario import PRIMARY, REPLICA
from tests.lab.volume import Volume, mounted
from tests.servers import mariadb, mariadb_versions, mysql
from tests.servers.dripping import DrippingProxy
from tests.servers.mariadb import MONITOR, Holder, MariaDBPair, Waiter, eventually

OPTIONS = (
    # The shared fixtures loosen these to be quick; here an unsafe setting would be a fault.
    "innodb-flush-log-at-trx-commit=1",
    "sync-binlog=1",
    "max-connections=40",
    "max-user-connections=60",  # from 0 it could not be changed while the server runs
    "expire-logs-days=10",
)
CLERK = "petugas"


class World:
    """The pair, and hands to break it with."""

    engine = "mysql"
    ruined = False
    rest_seconds = 0.12
    """InnoDB refreshes its list of transactions only if it was not read for 0.1 s."""

    def __init__(self, pair: MariaDBPair, volume: Volume | None = None) -> None:
        self.volume = volume  # holds the primary's binary log
        self.pair = pair
        self.primary = pair.primary
        self.replica = pair.replica
        self.title = pair.primary.title
        self.flavour = self.title.lower()
        self.shown_version, self.version = version_of(self.primary)
        self.backups = self.primary.folder / "cadangan"  # there only where a scenario makes it
        self.proxy = DrippingProxy(self.primary.port)
        self.replica_proxy = DrippingProxy(self.replica.port)

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]:
        labels = {"backup": str(self.backups)}
        primary = self.primary.target(name=PRIMARY, cluster="lab", role=PRIMARY, labels=labels)
        replica = self.replica.target(name=REPLICA, cluster="lab", role=REPLICA)
        if through_proxy:
            primary = replace(primary, address=replace(primary.address, port=self.proxy.port))
            away = replace(replica.address, port=self.replica_proxy.port)
            replica = replace(replica, address=away)
        return primary, replica

    def is_whole(self) -> bool:
        """Both run, and the replica has caught up."""
        with suppress(pymysql.err.MySQLError):
            return self.pair.running() and self.pair.caught_up()
        return False

    def wait_whole(self) -> None:
        eventually(self.is_whole, "both servers run and the replica has caught up")

    def replicate(self, *statements: str) -> None:
        """Replication commands on the replica, each flavour's own word for ``{replica}``."""
        word = "SLAVE" if self.flavour == "mariadb" else "REPLICA"
        self.replica.sql(*(each.format(replica=word) for each in statements))

    def channel(self, column: str) -> Any:
        """One column of the replica's own report, each flavour's own word for ``{source}``."""
        word = "Master" if self.flavour == "mariadb" else "Source"
        return self.pair.channel()[column.format(source=word)]

    def waited(self, seconds: float) -> None:
        """Wait until the oldest lock wait is that old, by the server's own account."""
        ask = (
            "SELECT coalesce(max(TIME_MS), 0) / 1000 AS s FROM information_schema.PROCESSLIST "
            if self.flavour == "mariadb"
            else "SELECT coalesce(max(TIME), 0) AS s FROM information_schema.PROCESSLIST "
        ) + f"WHERE USER <> '{MONITOR}' AND COMMAND = 'Query' AND ID <> connection_id()"
        eventually(lambda: self.primary.sql(ask)[0]["s"] >= seconds, "somebody waiting that long")

    def grown_older(self, seconds: float) -> None:
        """Wait until the primary has been up that long."""
        asked = "SHOW GLOBAL STATUS LIKE 'Uptime'"
        eventually(lambda: int(self.primary.sql(asked)[0]["Value"]) > seconds, "it is older")

    def forget_own_writes(self, *mends: str) -> None:
        """Undo on the replica what was written there, and make its own log forget it."""
        with self.replica.admin() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            for each in mends:
                cursor.execute(each)
        self.replicate("STOP {replica}")
        if self.flavour == "mariadb":
            position = self.replica.sql("SELECT @@global.gtid_slave_pos AS p")[0]["p"]
            self.replica.sql("RESET MASTER", f"SET GLOBAL gtid_slave_pos = '{position}'")
        else:
            executed = self.primary.sql("SELECT @@global.gtid_executed AS p")[0]["p"]
            self.replica.sql(
                "RESET BINARY LOGS AND GTIDS", f"SET GLOBAL gtid_purged = '{executed}'"
            )
        self.go_on()

    def skip_what_is_gone(self) -> None:
        """Continue from the primary's present position: missing rows are repaired by hand."""
        self.replicate("STOP {replica}")
        position = self.primary.sql("SELECT @@global.gtid_binlog_pos AS p")[0]["p"]
        rows = self.primary.sql("SELECT id, gaji FROM app.pegawai")
        with self.replica.admin() as connection, connection.cursor() as cursor:
            cursor.execute("SET sql_log_bin = 0")
            for row in rows:
                cursor.execute(
                    "UPDATE app.pegawai SET gaji = %s WHERE id = %s", (row["gaji"], row["id"])
                )
        self.replica.sql("RESET MASTER", f"SET GLOBAL gtid_slave_pos = '{position}'")
        self.go_on()

    def power_cut(self) -> None:
        """The primary dies at once."""
        self.primary.kill()

    def power_back(self) -> None:
        """Start it and, where it would report the crash, restart it in order, so that the crash is
        over.
        """
        if self.flavour == "mysql":
            self.primary.start()
            self.primary.stop()
        self.primary.start()

    def go_on(self) -> None:
        """Start replication again where a fault stopped it, and wait until nothing is missing."""
        with suppress(pymysql.err.MySQLError):
            self.replicate("START {replica}")
        self.wait_whole()

    @contextmanager
    def session(self, *statements: str) -> Iterator[Holder]:
        """A session that has begun a transaction and stays in it."""
        holder = Holder(self.primary, "USE app", *statements)
        try:
            yield holder
        finally:
            holder.let_go()

    @contextmanager
    def waiters(self, number: int, *statements: str) -> Iterator[None]:
        """So many sessions run the statements, the last of which will wait."""
        waiting = [Waiter(self.primary, "USE app", *statements) for _ in range(number)]
        try:
            yield
        finally:
            for each in waiting:
                each.gone()

    @contextmanager
    def setting(self, name: str, value: str, *, on_replica: bool = False) -> Iterator[None]:
        """A global variable changed, and changed back."""
        server = self.replica if on_replica else self.primary
        before = server.sql(f"SELECT @@global.{name} AS v")[0]["v"]
        server.sql(f"SET GLOBAL {name} = {value}")
        try:
            yield
        finally:
            shown = f"'{before}'" if isinstance(before, str) else before
            server.sql(f"SET GLOBAL {name} = {shown}")

    @contextmanager
    def crowd(self, user: str = CLERK, most: int = 100) -> Iterator[int]:
        """An application takes every connection it gets; yields how many."""
        with ExitStack() as stack:
            taken = 0
            with suppress(pymysql.err.OperationalError):
                while taken < most:
                    stack.callback(self._connect(user).close)
                    taken += 1
            yield taken

    def _connect(self, user: str) -> Any:
        return pymysql.connect(
            unix_socket=str(self.primary.socket), user=user, password=CLERK, connect_timeout=10
        )


def version_of(server: mariadb.MariaDB) -> tuple[str, int]:
    """As people read it, and as ``Session.version`` counts."""
    said = str(server.sql("SELECT version() AS v")[0]["v"]).split("-")[0]
    major, minor, patch = (int(part) for part in said.split(".")[:3])
    return said, major * 10000 + minor * 100 + patch


def grants(flavour: str) -> list[str]:
    """The lines ``sigap grants`` prints."""
    declared: list[Grant] = list(registry.engine("mysql").base_grants)
    for probe in registry.probes_for("mysql"):
        declared += probe.grants
    return list(dict.fromkeys(each.sql for each in declared if each.flavour == flavour))


@contextmanager
def _pair(flavour: str, version: str) -> Iterator[MariaDBPair]:
    """A replicating pair with its monitoring account and an empty database ``app``."""
    lines = grants(flavour)
    if version:
        with mariadb_versions.pair(version, lines, OPTIONS) as both:
            yield both
        return
    servers: Any = mysql.servers if flavour == "mysql" else mariadb.servers
    pair: Any = mysql.MySQLPair if flavour == "mysql" else MariaDBPair
    # MySQL removes its binary logs after a month by itself, and has another name for it
    options = [each for each in OPTIONS if flavour == "mariadb" or "expire-logs" not in each]
    with servers(2, options) as (primary, replica):
        both = pair(primary, replica)
        both.replicate()
        primary.grant_monitor(lines)
        primary.sql("CREATE DATABASE app")
        yield both


@contextmanager
def world(flavour: str = "mariadb", version: str = "") -> Iterator[World]:
    """A world of its own, gone afterwards; ``version`` is one of ``mariadb_versions``."""
    with ExitStack() as stack:
        pair = stack.enter_context(_pair(flavour, version))
        pair.primary.stop()
        volume = stack.enter_context(mounted(pair.primary.folder / "binlog", 64))
        stack.callback(pair.primary.stop)
        pair.primary.start()
        pair.replica.sql("SET GLOBAL read_only = 1")
        pair.replica.with_option("read-only=1")  # and so after a restart
        pair.primary.sql(
            f"CREATE USER {CLERK} IDENTIFIED BY '{CLERK}'",
            f"GRANT ALL ON app.* TO {CLERK}",
            "CREATE TABLE app.pegawai (id INT PRIMARY KEY, gaji INT) ENGINE=InnoDB",
            "INSERT INTO app.pegawai WITH RECURSIVE n(id) AS "
            "(SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 500) SELECT id, 0 FROM n",
        )
        made = World(pair, volume)
        stack.callback(made.proxy.close)
        stack.callback(made.replica_proxy.close)
        made.go_on()
        yield made
