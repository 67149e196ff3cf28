"""Replication is broken, behind or cut, as the replica itself reports it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from probes import Limits, Severity
from tests.lab.mysql.world import World
from tests.lab.scenario import PRIMARY, REPLICA, WARNS, Break, Fault
from tests.servers.mariadb import Holder, Waiter, eventually

SOON = Limits(warning=0.5, critical=1.0, raise_after=2)
"""A second instead of five minutes: the lab has no time to wait for the real limit."""


@contextmanager
def duplicate_key(world: World) -> Iterator[None]:
    world.pair.break_sql_thread("app.nik_ganda")
    try:
        yield
    finally:
        world.pair.mend_sql_thread("app.nik_ganda")
        world.primary.sql("DROP TABLE app.nik_ganda")
        world.wait_whole()


@contextmanager
def applier_stopped(world: World) -> Iterator[None]:
    world.replicate("STOP {replica} SQL_THREAD")
    try:
        yield
    finally:
        world.go_on()


@contextmanager
def receiver_stopped(world: World) -> Iterator[None]:
    world.replicate("STOP {replica} IO_THREAD")
    try:
        yield
    finally:
        world.go_on()


@contextmanager
def all_stopped(world: World) -> Iterator[None]:
    world.replicate("STOP {replica}")
    try:
        yield
    finally:
        world.go_on()


@contextmanager
def password_wrong(world: World) -> Iterator[None]:
    """The replication account's password was changed, but not on the replica."""
    world.primary.sql("SET sql_log_bin = 0", "ALTER USER 'repl'@'%' IDENTIFIED BY 'baru'")
    world.replicate("STOP {replica} IO_THREAD", "START {replica} IO_THREAD")
    eventually(lambda: world.channel("Last_IO_Errno") == 1045, "the receiver is refused")
    try:
        yield
    finally:
        world.primary.sql("SET sql_log_bin = 0", "ALTER USER 'repl'@'%' IDENTIFIED BY 'repl-uji'")
        world.wait_whole()


@contextmanager
def applier_blocked(world: World) -> Iterator[None]:
    """A session on the replica holds the row that the applier needs."""
    holder = Holder(world.replica, "SELECT * FROM app.pegawai WHERE id = 7 FOR UPDATE")
    world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1 WHERE id = 7")
    try:
        eventually(
            lambda: (world.channel("Seconds_Behind_{source}") or 0) >= 2, "the applier is behind"
        )
        yield
    finally:
        holder.let_go()
        world.wait_whole()


@contextmanager
def configuration_gone(world: World) -> Iterator[None]:
    """RESET SLAVE ALL was run: no error anywhere, and no replication."""
    world.replicate("STOP {replica}", "RESET {replica} ALL")
    try:
        yield
    finally:
        world.pair.replicate()
        world.wait_whole()


@contextmanager
def errant(world: World) -> Iterator[None]:
    """A write on the replica, logged there."""
    world.replica.sql("CREATE TABLE app.salah_tempat (id INT PRIMARY KEY)")
    try:
        yield
    finally:
        world.forget_own_writes("DROP TABLE app.salah_tempat")


@contextmanager
def binlog_purged(world: World) -> Iterator[None]:
    """The replica was away while the logs it still needs were removed on the primary."""
    world.replicate("STOP {replica}")
    world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1", "FLUSH BINARY LOGS")
    newest = str(world.primary.sql("SHOW BINARY LOGS")[-1]["Log_name"])
    eventually(lambda: _purged(world, newest), "only the newest binary log is left")
    world.replicate("START {replica}")
    eventually(lambda: world.channel("Last_IO_Errno") == 1236, "the receiver asks in vain")
    try:
        yield
    finally:
        world.skip_what_is_gone()


def _purged(world: World, newest: str) -> bool:
    world.primary.sql(f"PURGE BINARY LOGS TO '{newest}'")
    return len(world.primary.sql("SHOW BINARY LOGS")) == 1


def _semi(world: World, name: str) -> str:
    """A semi-synchronous setting or counter under each flavour's own names."""
    mariadb = world.flavour == "mariadb"
    sides = {"source": "master", "replica": "slave"} if mariadb else {}
    return "rpl_semi_sync_" + "_".join(sides.get(word, word) for word in name.split("_"))


@contextmanager
def semi_sync_there(world: World) -> Iterator[None]:
    """MySQL has each side in a plugin; MariaDB was built with both."""
    sides = () if world.flavour == "mariadb" else ("source", "replica")
    servers = {"source": world.primary, "replica": world.replica}
    for side in sides:
        servers[side].sql(f"INSTALL PLUGIN rpl_semi_sync_{side} SONAME 'semisync_{side}.so'")
    try:
        yield
    finally:
        for side in sides:
            servers[side].sql(f"UNINSTALL PLUGIN rpl_semi_sync_{side}")


@contextmanager
def commits_hang(world: World) -> Iterator[None]:
    """Semi-synchronous without a replica that answers, and a time-out of hours."""
    waiter = None
    with (
        world.setting(_semi(world, "source_timeout"), "3600000"),
        world.setting(_semi(world, "source_wait_no_replica"), "1"),
        world.setting(_semi(world, "source_enabled"), "1"),
    ):
        waiter = Waiter(world.primary, "UPDATE app.pegawai SET gaji = 7 WHERE id = 60")
        asked = f"SHOW GLOBAL STATUS LIKE '{_semi(world, 'source_wait_sessions')}'"
        eventually(lambda: int(world.primary.sql(asked)[0]["Value"]) > 0, "a commit hangs")
        yield
    waiter.gone()
    world.wait_whole()


@contextmanager
def commits_bare(world: World) -> Iterator[None]:
    """Semi-synchronous is on and no replica takes part: commits continue without an
    acknowledgement.
    """
    with world.setting(_semi(world, "source_enabled"), "1"):
        yield


@contextmanager
def replica_side_idle(world: World) -> Iterator[None]:
    """The replica's side was switched on, and its receiver not started again."""
    with world.setting(_semi(world, "replica_enabled"), "1", on_replica=True):
        yield


def _fault(name: str, inject: Break[World], measure: str, *words: str, **more: Any) -> Fault[World]:
    return Fault(
        f"replication/{name}", "mysql", inject, REPLICA, "replication_lag", measure,
        "replication", words, **more,
    )  # fmt: skip


IO, SQL = "replication_io_running", "replication_sql_running"

FAULTS = (
    replace(
        _fault("errant_transactions", errant, "errant_transactions", "replica", "written on the"),
        probe="errant_transactions", severity=Severity.WARNING,
        limits={"errant_transactions.errant_transactions": WARNS}, evidence=("this server",),
    ),
    _fault("binlog_purged", binlog_purged, IO, "receiver", "1236", flavours=("mariadb",)),
    replace(
        _fault("commits_hang", commits_hang, "semi_sync_stalled_sessions", "hang in commit"),
        probe="semi_sync", target=PRIMARY, given=semi_sync_there,
    ),
    replace(
        _fault("commits_bare", commits_bare, "semi_sync_active", "not at work", "0 replicas"),
        probe="semi_sync", target=PRIMARY, given=semi_sync_there, severity=Severity.WARNING,
        limits={"semi_sync.semi_sync_active": WARNS},
    ),
    replace(
        _fault("replica_side_idle", replica_side_idle, "semi_sync_replica_active", "not at work"),
        probe="semi_sync", given=semi_sync_there, severity=Severity.WARNING,
        limits={"semi_sync.semi_sync_replica_active": WARNS},
    ),
    _fault("duplicate_key", duplicate_key, SQL, "replica", "applier", "1062"),
    _fault("applier_stopped", applier_stopped, SQL, "replica", "applier"),
    _fault("receiver_stopped", receiver_stopped, IO, "replica", "receiver"),
    _fault("all_stopped", all_stopped, SQL, "replica"),
    _fault("password_wrong", password_wrong, IO, "receiver", "1045"),
    _fault(
        "applier_blocked", applier_blocked, "replication_lag_seconds", "replica", "behind",
        limits={"replication_lag.replication_lag_seconds": SOON},
    ),
    # Neither configured nor writable: the role finding is shorter than the missing channel's.
    replace(
        _fault("configuration_gone", configuration_gone, "role_as_expected", "replica", "primary"),
        probe="availability", family="role",
    ),
)  # fmt: skip
