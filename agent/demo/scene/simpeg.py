"""SIMPEG, the demo's PostgreSQL pair: a primary and its streaming replica.

The primary's WAL is on a small volume if one can be mounted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg2

from agent.demo.errors import DemoError
from agent.demo.scene import grants, load
from agent.demo.scene.ground import PG_PRIMARY, PG_REPLICA, READY_SECONDS, Ground
from agent.demo.scene.pileup import ACCOUNTS
from agent.demo.scene.simpeg_server import REPLICATOR, SLOT, SimpegServer
from agent.demo.scene.volume import SmallVolume
from agent.demo.servers import binaries, process
from probes import Text

PG_SCHEMA = """\
create table pegawai (id int primary key, nama text not null, golongan text not null);
insert into pegawai select n, 'Pegawai ' || n, 'III/a' from generate_series(1, 10) n;
create table presensi (id bigint generated always as identity primary key,
                       pegawai int not null references pegawai, masuk timestamptz not null);
"""


class Simpeg:
    """Both servers, created when missing; ``servers`` is empty until ``start``."""

    def __init__(self, ground: Ground, volume: SmallVolume) -> None:
        self._ground = ground
        self._volume = volume
        self.servers: dict[str, SimpegServer] = {}
        self.has_volume = False

    def start(self) -> load.Load:
        """Start both; returns the load on the primary. Raises ``DemoError``."""
        programs = binaries.postgresql(self._ground.account, self._ground.home.path / "programs")
        primary = self._server(PG_PRIMARY, programs)
        replica = self._server(PG_REPLICA, programs)
        self.servers = {PG_PRIMARY: primary, PG_REPLICA: replica}
        self.has_volume = self._volume.mount(self._ground.account)
        if not self.has_volume:
            self._ground.notes.append(
                Text(
                    "The small volume cannot be mounted (that takes root or user namespaces), so "
                    "the fault `volume` is not available."
                )
            )
        wal = self._ground.home.volume / "pg_wal" if self.has_volume else None
        if self._ground.state.get("postgresql") != "made" or not self._wal_is_there(wal):
            self._make(primary, wal)
        else:
            primary.configure()
            primary.start()
        self._ground.state["wal"] = str(wal) if wal else ""
        self._ground.state["postgresql"] = "made"
        self._ground.remember()
        if not replica.made or self._slot_is_lost(primary):
            self.remake_replica()
        else:
            replica.configure((primary, self._ground.secret("replication")))
            replica.start()
            self._wait_for_streaming()
        return load.on_postgresql(primary)

    def stop(self) -> None:
        """End both, the replica first, so that the primary does not wait for it."""
        for name in (PG_REPLICA, PG_PRIMARY):
            if name in self.servers:
                self.servers[name].stop()

    def _server(self, name: str, programs: Path) -> SimpegServer:
        return SimpegServer(
            name,
            programs,
            self._ground.home.server(name),
            self._ground.home.sockets,
            self._ground.log(name),
            self._ground.account,
            self._ground.port(name),
            self._ground.home.run,
        )

    def _saved_wal(self) -> Path:
        return self._ground.home.path / "data" / f"{PG_PRIMARY}.wal"

    def _wal_is_there(self, wal: Path | None) -> bool:
        """Whether the primary's WAL is where its data directory expects it.

        A tmpfs loses its content: an orderly stop saves the WAL to disk, and it is restored here.
        After a power cut it is gone, and the cluster is created again.
        """
        if self._ground.state.get("wal", "") != (str(wal) if wal else ""):
            return False
        if wal is None:
            return True
        if wal.is_dir() and any(wal.iterdir()):
            shutil.rmtree(self._saved_wal(), ignore_errors=True)
            return True
        if not self._saved_wal().is_dir():
            self._ground.notes.append(
                Text(
                    "The log on the small volume went with the machine that went down; the demo's "
                    "database was created again."
                )
            )
            return False
        shutil.rmtree(wal, ignore_errors=True)
        shutil.copytree(self._saved_wal(), wal)
        for path in (wal, *wal.rglob("*")):
            self._ground.account.give(path)
        wal.chmod(0o700)
        shutil.rmtree(self._saved_wal())
        return True

    def _make(self, primary: SimpegServer, wal: Path | None) -> None:
        self._ground.state["postgresql"] = "unfinished"
        self._ground.remember()
        for folder in (primary.data, self._ground.home.server(PG_REPLICA), self._saved_wal()):
            shutil.rmtree(folder, ignore_errors=True)
        if wal is not None:
            shutil.rmtree(wal, ignore_errors=True)
        primary.make(wal)
        primary.configure()
        primary.start()
        primary.ask(
            f"create role {REPLICATOR} login replication password %s",
            (self._ground.secret("replication"),),
        )
        for line in grants.lines("postgresql", "postgresql"):
            primary.ask(line.format(user=grants.USER))
        primary.ask(f"alter role {grants.USER} password %s", (self._ground.secret("monitor"),))
        primary.ask("create database simpeg")
        primary.ask(PG_SCHEMA, database="simpeg")
        for name in ACCOUNTS:
            primary.ask(f"create role {name} login")
            primary.ask(f"grant select, update on pegawai to {name}", database="simpeg")
        primary.ask("select pg_create_physical_replication_slot(%s)", (SLOT,))
        self._stock_segments(primary)

    @staticmethod
    def _stock_segments(primary: SimpegServer) -> None:
        """Leave recycled WAL segments, so that a full volume does not stop the primary.

        A primary without room for its next segment panics, and the fault "volume" would become the
        fault "stop".
        """
        for _ in range(16):
            primary.ask("select pg_logical_emit_message(false, 'demo', 'x'), pg_switch_wal()")
        primary.ask("checkpoint")
        primary.ask("checkpoint")

    def _slot_is_lost(self, primary: SimpegServer) -> bool:
        rows = primary.ask(
            "select wal_status from pg_replication_slots where slot_name = %s", (SLOT,)
        )
        return not rows or rows[0][0] in {"lost", "unreserved"}

    def remake_replica(self) -> None:
        """Copy the running primary again, as after a lost slot."""
        primary, replica = self.servers[PG_PRIMARY], self.servers[PG_REPLICA]
        replica.stop()
        primary.ask(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            "where slot_name = %s",
            (SLOT,),
        )
        primary.ask("select pg_create_physical_replication_slot(%s)", (SLOT,))
        replica.copy_from(primary, self._ground.secret("replication"))
        replica.configure((primary, self._ground.secret("replication")))
        replica.start()
        self._wait_for_streaming()

    def streams(self) -> bool:
        """Whether the primary sends to its replica right now."""
        try:
            return bool(
                self.servers[PG_PRIMARY].ask(
                    "select 1 from pg_stat_replication where state = 'streaming'"
                )
            )
        except psycopg2.Error:
            return False

    def mend_streaming(self) -> None:
        """Wait for the replica to stream again; if its slot is lost, create the replica again."""
        process.wait_until(
            lambda: self.streams() or self._slot_is_lost(self.servers[PG_PRIMARY]),
            READY_SECONDS,
        )
        if self._slot_is_lost(self.servers[PG_PRIMARY]):
            self.remake_replica()

    def _wait_for_streaming(self) -> None:
        if not process.wait_until(self.streams, READY_SECONDS):
            words = self.servers[PG_REPLICA].server.last_words()
            raise DemoError(
                Text(
                    "The PostgreSQL replica does not connect: {words}. `sigap demo "
                    "--fresh` creates it again.",
                    words=words,
                )
            )

    def save_wal(self) -> None:
        """Copy the WAL from the tmpfs to the disk. Both servers are down."""
        wal = self._ground.home.volume / "pg_wal"
        if not (
            self.has_volume and self._ground.state.get("postgresql") == "made" and wal.is_dir()
        ):
            return
        half = self._saved_wal().with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(wal, half)
        shutil.rmtree(self._saved_wal(), ignore_errors=True)
        half.rename(self._saved_wal())
