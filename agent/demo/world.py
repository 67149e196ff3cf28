"""The servers of the demo, put together: made when missing, started, kept busy, ended.

Promise: after ``start`` every replica streams from its primary and no fault is left from an
earlier run; after ``stop`` no process, mount or port of the demo remains, whatever was broken.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg2

from agent.demo import account as accounts
from agent.demo import binaries, grants, load, postgresql, process
from agent.demo.errors import DemoError
from agent.demo.home import Home, write_private
from agent.demo.mariadb import REPLICATOR as MARIADB_REPLICATOR
from agent.demo.mariadb import MariaDB
from agent.demo.pileup import ACCOUNTS
from agent.demo.ports import free_port
from agent.demo.postgresql import PostgreSQL
from agent.demo.volume import Volume
from probes import Text

log = logging.getLogger("sigap.demo")

READY_SECONDS = 30.0
LOG_LIMIT_BYTES = 4 << 20
PG_PRIMARY, PG_REPLICA = "simpeg-primary", "simpeg-replica"
MY_PRIMARY, MY_REPLICA = "esurat-primary", "esurat-replica"
NAMES = (PG_PRIMARY, PG_REPLICA, MY_PRIMARY, MY_REPLICA)

PG_SCHEMA = """\
create table pegawai (id int primary key, nama text not null, golongan text not null);
insert into pegawai select n, 'Pegawai ' || n, 'III/a' from generate_series(1, 10) n;
create table presensi (id bigint generated always as identity primary key,
                       pegawai int not null references pegawai, masuk timestamptz not null);
"""
MY_SCHEMA = (
    "CREATE DATABASE esurat CHARACTER SET utf8mb4",
    "CREATE TABLE esurat.surat_masuk (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
    "perihal VARCHAR(200) NOT NULL, diterima TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE esurat.agenda (nomor BIGINT PRIMARY KEY, perihal VARCHAR(200) NOT NULL)",
    "INSERT INTO esurat.agenda VALUES (1, 'Rapat koordinasi')",
)
PLANTED = "ditulis langsung di replika"  # marks the row that makes MariaDB's replication stumble


class World:
    """All servers of one demo folder."""

    def __init__(self, home: Home, *, with_mariadb: bool) -> None:
        """Raises ``DemoError`` when root finds no account for the servers."""
        self.home = home
        self.account = accounts.choose(os.geteuid())
        self.volume = Volume(home.volume)
        self.postgresql: dict[str, PostgreSQL] = {}
        self.mariadb: dict[str, MariaDB] = {}
        self.notes: list[Text] = []  # what a person should know about this start
        self.has_volume = False
        self._with_mariadb = with_mariadb
        self._load: list[load.Load] = []
        self._state = home.read_state()

    # -- asked by the rest of the demo -------------------------------------------------------

    @property
    def servers(self) -> Mapping[str, PostgreSQL | MariaDB]:
        """Every server that this demo has, by its target's name."""
        return {**self.postgresql, **self.mariadb}

    def secret(self, name: str) -> str:
        """A password of this demo, made up at its first use and remembered."""
        kept = self._state.setdefault("secrets", {})
        if name not in kept:
            kept[name] = secrets.token_hex(12)
            self.home.write_state(self._state)
        return str(kept[name])

    def port(self, name: str, wanted: int = 0) -> int:
        """A free port, the one of last time where possible; raises ``OSError`` when none is."""
        kept = self._state.setdefault("ports", {})
        kept[name] = free_port(wanted or int(kept.get(name, 0)))
        self.home.write_state(self._state)
        return int(kept[name])

    # -- start -------------------------------------------------------------------------------

    def start(self, *, fresh: bool = False) -> None:
        """Bring everything up. Raises ``DemoError``; the caller then calls ``stop``."""
        self.sweep()
        if fresh:
            self.volume.unmount()
            self.home.clear()
            self.home.make()
            self._state = {}
        self.account.folder(self.home.sockets)
        (self.home.path / "data").mkdir(mode=0o711, exist_ok=True)
        if not self.account.can_enter(self.home.sockets):
            raise DemoError(
                Text(
                    f"Akun {self.account.name}, yang menjalankan server, tidak dapat memasuki "
                    f"{self.home.path}. Pilih folder lain dengan --dir, misalnya di /var/lib.",
                    f"The account {self.account.name}, which runs the servers, cannot enter "
                    f"{self.home.path}. Choose another folder with --dir, such as one in /var/lib.",
                )
            )
        self._start_postgresql()
        if self._with_mariadb:
            self._start_mariadb()
        for worker in self._load:
            worker.start()

    def sweep(self) -> None:
        """End what a killed demo left running in this folder."""
        if self.volume.mounted:
            self.volume.empty()  # a server needs room to shut down in order
        self.home.control.unlink(missing_ok=True)  # whoever listened there holds no lock any more
        ended = process.sweep(self.home.run, [self.home.server(name) for name in NAMES])
        if ended:
            log.warning("ended what an earlier demo left running: %s", ", ".join(ended))

    def _server(self, name: str, programs: Path) -> PostgreSQL:
        return PostgreSQL(
            name,
            programs,
            self.home.server(name),
            self.home.sockets,
            self.home.run,
            self._log(name),
            self.account,
            self.port(name),
        )

    def _log(self, name: str) -> Path:
        path = self.home.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.unlink()
        return path

    def _start_postgresql(self) -> None:
        programs = binaries.postgresql(self.account, self.home.path / "programs")
        primary = self._server(PG_PRIMARY, programs)
        replica = self._server(PG_REPLICA, programs)
        self.postgresql = {PG_PRIMARY: primary, PG_REPLICA: replica}
        self.has_volume = self.volume.mount(self.account)
        if not self.has_volume:
            self.notes.append(
                Text(
                    "Volume kecil tidak dapat dipasang (perlu root atau user namespace), jadi "
                    "gangguan `volume` tidak tersedia.",
                    "The small volume cannot be mounted (that takes root or user namespaces), so "
                    "the fault `volume` is not available.",
                )
            )
        wal = self.home.volume / "pg_wal" if self.has_volume else None
        if self._state.get("postgresql") != "made" or not self._wal_is_there(wal):
            self._make_postgresql(primary, wal)
        else:
            primary.configure()
            primary.start()
        self._state["wal"] = str(wal) if wal else ""
        self._state["postgresql"] = "made"
        self.home.write_state(self._state)
        if not replica.made or self._slot_is_lost(primary):
            self.remake_replica()
        else:
            replica.configure((primary, self.secret("replication")))
            replica.start()
            self._wait_for_streaming()
        self._load.append(load.on_postgresql(primary))

    def _saved_wal(self) -> Path:
        return self.home.path / "data" / f"{PG_PRIMARY}.wal"

    def _wal_is_there(self, wal: Path | None) -> bool:
        """Whether the primary's log is where its data directory expects it.

        A tmpfs forgets: an orderly stop saves the log to disk, and here it comes back. After a
        power cut it is gone, and the cluster is made anew.
        """
        if self._state.get("wal", "") != (str(wal) if wal else ""):
            return False
        if wal is None:
            return True
        if wal.is_dir() and any(wal.iterdir()):
            shutil.rmtree(self._saved_wal(), ignore_errors=True)
            return True
        if not self._saved_wal().is_dir():
            self.notes.append(
                Text(
                    "WAL di volume kecil hilang bersama mesin yang mati; basis data demo dibuat "
                    "ulang.",
                    "The log on the small volume went with the machine that went down; the demo's "
                    "database was made anew.",
                )
            )
            return False
        shutil.rmtree(wal, ignore_errors=True)
        shutil.copytree(self._saved_wal(), wal)
        for path in (wal, *wal.rglob("*")):
            self.account.give(path)
        wal.chmod(0o700)
        shutil.rmtree(self._saved_wal())
        return True

    def _make_postgresql(self, primary: PostgreSQL, wal: Path | None) -> None:
        self._state["postgresql"] = "unfinished"
        self.home.write_state(self._state)
        for folder in (primary.data, self.home.server(PG_REPLICA), self._saved_wal()):
            shutil.rmtree(folder, ignore_errors=True)
        if wal is not None:
            shutil.rmtree(wal, ignore_errors=True)
        primary.make(wal)
        primary.configure()
        primary.start()
        primary.ask(
            f"create role {postgresql.REPLICATOR} login replication password %s",
            (self.secret("replication"),),
        )
        for line in grants.lines("postgresql", "postgresql"):
            primary.ask(line.format(user=grants.USER))
        primary.ask(f"alter role {grants.USER} password %s", (self.secret("monitor"),))
        primary.ask("create database simpeg")
        primary.ask(PG_SCHEMA, database="simpeg")
        for name in ACCOUNTS:
            primary.ask(f"create role {name} login")
            primary.ask(f"grant select, update on pegawai to {name}", database="simpeg")
        primary.ask("select pg_create_physical_replication_slot(%s)", (postgresql.SLOT,))
        self._stock_segments(primary)

    @staticmethod
    def _stock_segments(primary: PostgreSQL) -> None:
        """Leave recycled log segments behind, so that a full volume does not stop the primary.

        A primary that finds no room for its next segment panics, and the fault "volume" would
        end as the fault "stop".
        """
        for _ in range(16):
            primary.ask("select pg_logical_emit_message(false, 'demo', 'x'), pg_switch_wal()")
        primary.ask("checkpoint")
        primary.ask("checkpoint")

    def _slot_is_lost(self, primary: PostgreSQL) -> bool:
        rows = primary.ask(
            "select wal_status from pg_replication_slots where slot_name = %s", (postgresql.SLOT,)
        )
        return not rows or rows[0][0] in {"lost", "unreserved"}

    def remake_replica(self) -> None:
        """Copy the primary afresh, as one does when the slot was lost. The primary runs."""
        primary, replica = self.postgresql[PG_PRIMARY], self.postgresql[PG_REPLICA]
        replica.stop()
        primary.ask(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where slot_name = %s",
            (postgresql.SLOT,),
        )
        primary.ask("select pg_create_physical_replication_slot(%s)", (postgresql.SLOT,))
        replica.copy_from(primary, self.secret("replication"))
        replica.configure((primary, self.secret("replication")))
        replica.start()
        self._wait_for_streaming()

    def streams(self) -> bool:
        """Whether the primary sends to its replica right now."""
        try:
            return bool(
                self.postgresql[PG_PRIMARY].ask(
                    "select 1 from pg_stat_replication where state = 'streaming'"
                )
            )
        except psycopg2.Error:
            return False

    def mend_streaming(self) -> None:
        """Wait for the replica to stream again; when its slot is lost, make the replica anew."""
        process.wait_until(
            lambda: self.streams() or self._slot_is_lost(self.postgresql[PG_PRIMARY]),
            READY_SECONDS,
        )
        if self._slot_is_lost(self.postgresql[PG_PRIMARY]):
            self.remake_replica()

    def _wait_for_streaming(self) -> None:
        if not process.wait_until(self.streams, READY_SECONDS):
            words = self.postgresql[PG_REPLICA].server.last_words()
            raise DemoError(
                Text(
                    f"Replika PostgreSQL tidak tersambung: {words}. `sigap demo --fresh` "
                    "membuatnya dari awal.",
                    f"The PostgreSQL replica does not connect: {words}. `sigap demo --fresh` "
                    "makes it anew.",
                )
            )

    def _start_mariadb(self) -> None:
        programs = binaries.mariadb()
        if programs is None:
            self.notes.append(
                Text(
                    "MariaDB tidak ada di mesin ini; demo berjalan dengan PostgreSQL saja. "
                    "Di Debian: apt-get install mariadb-server.",
                    "This machine has no MariaDB; the demo runs with PostgreSQL alone. "
                    "On Debian: apt-get install mariadb-server.",
                )
            )
            return
        primary, replica = (
            MariaDB(
                name,
                number,
                programs,
                self.home.server(name),
                self.home.sockets,
                self.home.run,
                self._log(name),
                self.account,
                self.port(name),
                self.secret("mariadb"),
            )
            for number, name in enumerate((MY_PRIMARY, MY_REPLICA), start=1)
        )
        self.mariadb = {MY_PRIMARY: primary, MY_REPLICA: replica}
        first = self._state.get("mariadb") != "made" or not (primary.made and replica.made)
        if first:
            self._state["mariadb"] = "unfinished"
            self.home.write_state(self._state)
            for server in (primary, replica):
                server.forget()
                server.make()
        primary.configure(read_only=False)
        replica.configure(read_only=True)
        primary.start()
        replica.start()
        if first:
            self._fill_mariadb(primary)
        self.mend_mariadb()
        self._state["mariadb"] = "made"
        self.home.write_state(self._state)
        self._load.append(load.on_mariadb(primary))

    def _fill_mariadb(self, primary: MariaDB) -> None:
        monitor = f"'{grants.USER}'@'127.0.0.1'"
        replicator = f"'{MARIADB_REPLICATOR}'@'127.0.0.1'"
        rights = [line.format(user=monitor) for line in grants.lines("mysql", "mariadb")]
        primary.ask(
            f"CREATE USER {replicator} IDENTIFIED BY '{self.secret('replication')}'",
            f"GRANT REPLICATION SLAVE ON *.* TO {replicator}",
            *rights,
            f"ALTER USER {monitor} IDENTIFIED BY '{self.secret('monitor')}'",
            *MY_SCHEMA,
        )
        for name in ACCOUNTS:
            primary.ask(
                f"CREATE USER {name}@localhost IDENTIFIED BY '{self.secret('application')}'",
                f"GRANT SELECT, UPDATE ON esurat.* TO {name}@localhost",
            )

    def mend_mariadb(self) -> None:
        """Take away the planted row, follow the primary again and wait until both threads run."""
        primary, replica = self.mariadb[MY_PRIMARY], self.mariadb[MY_REPLICA]
        if replica.replication():
            replica.ask(
                "SET sql_log_bin = 0",
                "DELETE FROM esurat.agenda WHERE perihal = %s",
                parameters=(PLANTED,),
            )
        replica.follow(primary, self.secret("replication"))
        if not process.wait_until(lambda: replica.replicates, READY_SECONDS):
            status = replica.replication()
            words = status.get("Last_SQL_Error") or status.get("Last_IO_Error") or "?"
            raise DemoError(
                Text(
                    f"Replika MariaDB tidak tersambung: {words}. `sigap demo --fresh` membuatnya "
                    "dari awal.",
                    f"The MariaDB replica does not connect: {words}. `sigap demo --fresh` makes "
                    "it anew.",
                )
            )

    # -- stop --------------------------------------------------------------------------------

    def stop(self) -> None:
        """End everything that runs; data stays for the next start. Never fails half-way."""
        for worker in self._load:
            worker.stop()
        if self.volume.mounted:
            self.volume.empty()  # a server needs room to shut down in order
        # replicas first, so that no primary waits for them
        for name in (PG_REPLICA, PG_PRIMARY):
            if name in self.postgresql:
                self.postgresql[name].stop()
        for name in (MY_REPLICA, MY_PRIMARY):
            if name in self.mariadb:
                self.mariadb[name].stop()
        self.sweep()
        self._save_wal()
        self.volume.unmount()

    def _save_wal(self) -> None:
        wal = self.home.volume / "pg_wal"
        if not (self.has_volume and self._state.get("postgresql") == "made" and wal.is_dir()):
            return
        half = self._saved_wal().with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(wal, half)
        shutil.rmtree(self._saved_wal(), ignore_errors=True)
        half.rename(self._saved_wal())

    def write_secret(self, name: str) -> Path:
        """A secret as a file that only the demo's owner reads, for ``password_file``."""
        path = self.home.secrets / name
        write_private(path, self.secret(name) + "\n")
        return path
