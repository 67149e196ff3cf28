"""Real MySQL 9 servers for tests: unpacked from Debian's unstable suite, never installed.

What MySQL renamed between 8.0 and 9 is found by asking it, not by reading. Tests that use it carry
the marker ``matrix`` and run under ``make test-matrix``, since the suite moves: where the package
has gone, the test is skipped with the reason in words.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import unpacked
from tests.servers.mariadb import (
    PATIENCE_SECONDS,
    MariaDB,
    MariaDBPair,
    as_ordinary,
    eventually,
    prepared,
)
from tests.support.selection import impossible_here

SUITE = "sid"
PROGRAM = "usr/sbin/mysqld"


def unpacked_root() -> Path:
    """The folder with MySQL in it; without one the test is skipped, saying why."""
    try:
        return unpacked.root(SUITE, ["mysql-server-core"], [PROGRAM], "usr/lib/mysql/private")
    except unpacked.Unavailable as error:
        impossible_here(f"MySQL: Debian's {SUITE} no longer gives mysql-server-core: {error}")


def _own_options(root: Path) -> list[str]:
    """Where an unpacked server finds itself, and what MariaDB's names are called here."""
    return [
        f"basedir={root / 'usr'}",
        f"lc-messages-dir={root / 'usr/share/mysql'}",
        f"character-sets-dir={root / 'usr/share/mysql/charsets'}",
        f"plugin-dir={root / 'usr/lib/mysql/plugin'}",
        "secure-file-priv=NULL",
        "mysqlx=OFF",
    ]


class MySQL(MariaDB):
    """One MySQL server; the faults and questions are those of ``MariaDB``."""

    title = "MySQL"
    reload_tls = "ALTER INSTANCE RELOAD TLS"

    def __init__(self, folder: Path, server_id: int, root: Path, options: Sequence[str]) -> None:
        super().__init__(folder, server_id)
        theirs = ("gtid-strict-mode", "slave-net-timeout", "log-slave-updates", "skip-slave-start")
        kept = [each for each in self._options if not each.startswith((*theirs, "innodb-log-file"))]
        self._root = root
        self._options = [
            *kept,
            *_own_options(root),
            "gtid-mode=ON",
            "enforce-gtid-consistency=ON",
            "skip-replica-start=ON",
            "replica-net-timeout=5",
            "innodb-redo-log-capacity=16M",
            *options,
        ]

    def program(self) -> str:
        return str(self._root / PROGRAM)

    def administrator(self) -> tuple[str, str]:
        return "root", ""


class MySQLPair(MariaDBPair):
    """A primary and its GTID replica (default channel), replicating."""

    def replicate(self) -> None:
        self.primary.sql(
            "CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY 'repl-uji'",
            "GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'",
        )
        self.replica.sql(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', "
            f"SOURCE_PORT={self.primary.port}, SOURCE_USER='repl', SOURCE_PASSWORD='repl-uji', "
            "SOURCE_CONNECT_RETRY=1, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
            "START REPLICA",
        )
        eventually(self.running, "both replication threads run")

    def channel(self) -> dict[str, Any]:
        return self.replica.sql("SHOW REPLICA STATUS")[0]

    def running(self) -> bool:
        row = self.channel()
        return bool(row["Replica_IO_Running"] == row["Replica_SQL_Running"] == "Yes")

    def caught_up(self) -> bool:
        there = self.primary.sql("SELECT @@gtid_executed AS p")[0]["p"]
        done = self.replica.sql(f"SELECT gtid_subset('{there}', @@gtid_executed) AS d")[0]["d"]
        return bool(done)

    def mend_sql_thread(self, table: str) -> None:
        with self.replica.admin() as local, local.cursor() as cursor:
            cursor.execute("SET sql_log_bin=0")
            cursor.execute(f"DELETE FROM {table}")
        self.replica.sql("START REPLICA SQL_THREAD")
        eventually(self.running, "both replication threads run again")


def install(folder: Path, root: Path) -> None:
    """Fill ``folder/data``; root has no password and comes in over the socket."""
    prepared(folder)
    defaults = folder / "install.cnf"
    lines = [f"datadir={folder / 'data'}", f"tmpdir={folder / 'tmp'}", *_own_options(root)]
    defaults.write_text("[mysqld]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(
        [str(root / PROGRAM), f"--defaults-file={defaults}", "--initialize-insecure"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        timeout=PATIENCE_SECONDS * 2,
        **as_ordinary(),
    )
    if done.returncode:
        pytest.fail(f"mysqld --initialize failed:\n{done.stdout}\n{done.stderr}", pytrace=False)


@contextmanager
def installed(count: int, prefix: str, root: Path) -> Iterator[list[Path]]:
    """The folders of ``count`` servers that share one installation; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as made:
        base = Path(made)
        base.chmod(0o755)
        folders = [base / f"db{number}" for number in range(1, count + 1)]
        folders[0].mkdir()
        install(folders[0], root)
        for folder in folders[1:]:
            shutil.copytree(folders[0], folder)
            (folder / "data" / "auto.cnf").unlink()  # each server has a uuid of its own
            prepared(folder)
        yield folders


@contextmanager
def servers(count: int, options: Sequence[str] = ()) -> Iterator[list[MySQL]]:
    """``count`` running servers made from one installation, and nothing left afterwards."""
    root = unpacked_root()
    with installed(count, "sgm-", root) as folders:
        running = [MySQL(folder, number, root, options) for number, folder in enumerate(folders, 1)]
        try:
            for server in running:
                server.start()
            yield running
        finally:
            for server in reversed(running):
                server.stop()


@contextmanager
def pair(grants: Sequence[str]) -> Iterator[MySQLPair]:
    """A replicating pair whose monitoring account has exactly ``grants``."""
    with servers(2) as (primary, replica):
        both = MySQLPair(primary, replica)
        both.replicate()
        primary.grant_monitor(grants)
        primary.sql("CREATE DATABASE app")
        eventually(both.caught_up, "the account and the schema are on the replica")
        yield both
