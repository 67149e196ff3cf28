"""Real servers for benchmarks, with tables and an account for each exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.exporters import ACCOUNT, PASSWORD
from probes import Target
from probes.registry import engine, probes_for
from tests.servers import mariadb, mysql, postgresql

DATABASES = 3
TABLES = 50  # in each


@dataclass
class Ground:
    """One running server, and how the peers reach it."""

    title: str
    server: postgresql.Server | mariadb.MariaDB
    target: Target
    exporter: str  # Debian's package and program
    variables: dict[str, str]  # its environment

    @property
    def pid(self) -> int:
        if isinstance(self.server, postgresql.Server):
            return self.server.pid
        return int((self.server.folder / "db.pid").read_text())

    def sessions(self) -> tuple[int, int]:
        """Sessions open now: Sigap's and the exporter's."""
        if isinstance(self.server, postgresql.Server):
            rows = self.server.sql(
                "select count(*) filter (where usename = %s), count(*) filter (where usename = %s)"
                " from pg_stat_activity",
                self.target.address.user,
                ACCOUNT,
            )
            return int(rows[0][0]), int(rows[0][1])
        found = self.server.sql("SELECT user AS u FROM information_schema.PROCESSLIST")
        users = [str(row["u"]) for row in found]
        return users.count(self.target.address.user), users.count(ACCOUNT)


def grants(flavour: str) -> list[str]:
    """The lines of ``sigap grants mariadb``, or ``mysql``."""
    declared = [*engine("mysql").base_grants]
    for probe in probes_for("mysql"):
        declared += probe.grants
    return list(dict.fromkeys(each.sql for each in declared if each.flavour == flavour))


@contextmanager
def postgres(settings: dict[str, str] | None = None, *, tables: bool = True) -> Iterator[Ground]:
    """A PostgreSQL server; the exporter comes over the socket, Sigap over TCP.

    The account's own limit of five sessions is lifted: many targets may be this one server.
    """
    with postgresql.single(settings) as server:
        server.sql(f"create role {ACCOUNT} login password '{PASSWORD}' in role pg_monitor")
        server.sql(f"alter role {postgresql.MONITOR} connection limit -1")
        for number in range(DATABASES if tables else 0):
            server.sql(f"create database app{number}")
            made = (f"create table t{n} (id int primary key, v text);" for n in range(TABLES))
            server.sql("".join(made), database=f"app{number}")
        name = (
            f"user={ACCOUNT} password={PASSWORD} host={server.folder} port={server.port} "
            "dbname=postgres sslmode=disable"
        )
        version = str(server.sql("show server_version")[0][0]).split()[0]
        yield Ground(
            f"PostgreSQL {version}",
            server,
            server.target("db"),
            "prometheus-postgres-exporter",
            {"DATA_SOURCE_NAME": name},
        )


@contextmanager
def maria(options: tuple[str, ...] = (), *, tables: bool = True) -> Iterator[Ground]:
    """A MariaDB server; both come over TCP. The account's limit is lifted as above."""
    with mariadb.servers(1, options) as (server,):
        server.grant_monitor(grants("mariadb"))
        server.sql(
            f"ALTER USER '{mariadb.MONITOR}'@'%' WITH MAX_USER_CONNECTIONS 0",
            f"CREATE USER '{ACCOUNT}'@'%' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT PROCESS, REPLICATION CLIENT, SLAVE MONITOR, SELECT ON *.* TO '{ACCOUNT}'@'%'",
        )
        for number in range(DATABASES if tables else 0):
            server.sql(f"CREATE DATABASE app{number}")
            server.sql(
                *(f"CREATE TABLE app{number}.t{n} (id INT PRIMARY KEY)" for n in range(TABLES))
            )
        version = str(server.sql("SELECT version() AS v")[0]["v"]).split("-")[0]
        yield Ground(
            f"MariaDB {version}",
            server,
            server.target(name="db"),
            "prometheus-mysqld-exporter",
            {"DATA_SOURCE_NAME": f"{ACCOUNT}:{PASSWORD}@tcp(127.0.0.1:{server.port})/"},
        )


@contextmanager
def oracle(options: tuple[str, ...] = ()) -> Iterator[Ground]:
    """A MySQL 9 without tables, for Sigap alone. The account's limit is lifted as above.

    Skips (``_pytest.outcomes.Skipped``) where it cannot be had, saying why.
    """
    with mysql.servers(1, options) as (server,):
        server.grant_monitor(grants("mysql"))
        server.sql(f"ALTER USER '{mariadb.MONITOR}'@'%' WITH MAX_USER_CONNECTIONS 0")
        version = str(server.sql("SELECT version() AS v")[0]["v"]).split("-")[0]
        yield Ground(f"MySQL {version}", server, server.target(name="db"), "", {})
