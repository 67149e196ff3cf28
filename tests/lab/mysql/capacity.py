"""Limits reached: connections, numbers, space for the binary log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from probes import Limits, Severity
from tests.lab.mysql.world import CLERK, World
from tests.lab.scenario import PRIMARY, WARNS, Break, Fault
from tests.lab.volume import needed
from tests.servers.mariadb import MONITOR

SOON = Limits(warning=8, opens=Severity.WARNING)
"""For an uptime, so that a start is history while the lab can wait for it."""


@contextmanager
def connections(world: World) -> Iterator[None]:
    """A leaking pool holds most connections; there is still room for a login."""
    with world.crowd(most=33):
        yield


@contextmanager
def account_limit(world: World) -> Iterator[None]:
    with world.setting("max_user_connections", "6"), world.crowd(most=6):
        yield


@contextmanager
def auto_increment(world: World) -> Iterator[None]:
    world.primary.sql(
        "CREATE TABLE app.surat (id TINYINT AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO app.surat VALUES (126)",
    )
    try:
        yield
    finally:
        world.primary.sql("DROP TABLE app.surat")
        world.wait_whole()


@contextmanager
def binlogs_for_ever(world: World) -> Iterator[None]:
    name = "expire_logs_days" if world.flavour == "mariadb" else "binlog_expire_logs_seconds"
    with world.setting(name, "0"):
        world.primary.sql(*["FLUSH BINARY LOGS"] * 3)
        yield


@contextmanager
def unsafe_settings(world: World) -> Iterator[None]:
    with (
        world.setting("innodb_flush_log_at_trx_commit", "2"),
        world.setting("sync_binlog", "0"),
    ):
        yield


@contextmanager
def redo_log_off(world: World) -> Iterator[None]:
    """Redo logging was switched off for an import and never on again."""
    world.primary.sql("ALTER INSTANCE DISABLE INNODB REDO_LOG")
    try:
        yield
    finally:
        world.primary.sql("ALTER INSTANCE ENABLE INNODB REDO_LOG")


@contextmanager
def clock_ahead(world: World) -> Iterator[None]:
    """The primary's clock is three minutes ahead in every new session."""
    ahead = "'SET SESSION timestamp = unix_timestamp(sysdate(6)) + 180'"
    with world.setting("init_connect", ahead):
        _monitor_begins_anew(world)
        yield
    _monitor_begins_anew(world)


def _monitor_begins_anew(world: World) -> None:
    for row in world.primary.sql(
        f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{MONITOR}'"
    ):
        world.primary.sql(f"KILL {row['ID']}")


@contextmanager
def binlog_volume_full(world: World) -> Iterator[None]:
    with needed(world.volume).full():
        yield


@contextmanager
def binlog_volume_without_inodes(world: World) -> Iterator[None]:
    with needed(world.volume).without_inodes():
        yield


@contextmanager
def binlog_volume_read_only(world: World) -> Iterator[None]:
    """After an error the volume comes back read only, and the server cannot start on it."""
    world.primary.stop()
    with needed(world.volume).read_only():
        yield
    world.primary.start()
    world.go_on()


@contextmanager
def read_only(world: World) -> Iterator[None]:
    """The primary was left read only after yesterday's work."""
    with world.setting("read_only", "1"):
        yield


@contextmanager
def long_up(world: World) -> Iterator[None]:
    """Makes this restart distinct from those of the lab itself."""
    world.grown_older(8)
    yield


@contextmanager
def restarted(world: World) -> Iterator[None]:
    """Restarted between two readings, so no reading failed."""
    world.primary.kill()
    world.primary.start()
    world.go_on()
    yield
    if world.flavour == "mysql":
        world.primary.stop()
        world.primary.start()  # in order: the crash is history
        world.go_on()
    world.grown_older(8)


def _fault(
    name: str,
    inject: Break[World],
    probe: str,
    measure: str,
    family: str,
    *words: str,
    **more: Any,
) -> Fault[World]:
    limits = more.pop("limits", None)
    return Fault(
        name, "mysql", inject, PRIMARY, probe, measure, family, words,
        limits={f"{probe}.{measure}": limits} if limits else {}, **more,
    )  # fmt: skip


def _volume(name: str, inject: Break[World], measure: str, *words: str) -> Fault[World]:
    return _fault(
        f"volumes/{name}", inject, "volumes", measure, "volume", "binlog", *words,
        evidence=("binlog",), host=("volumes",),
    )  # fmt: skip


FAULTS = (
    _fault(
        "capacity/connections", connections, "connections", "connections_used_ratio",
        "connections", "connections are taken", CLERK, limits=Limits(critical=0.85),
        evidence=(CLERK,),
    ),
    _fault(
        "capacity/account_limit", account_limit, "connections", "account_connections_used_ratio",
        "connections", CLERK, evidence=(CLERK,),
    ),
    _fault(
        "capacity/auto_increment", auto_increment, "auto_increment", "auto_increment_used_ratio",
        "capacity", "surat", evidence=("surat",),
    ),
    _fault(
        "capacity/binlogs_for_ever", binlogs_for_ever, "binlogs", "binlog_kept_for_ever",
        "capacity", "never removed", limits=WARNS, severity=Severity.WARNING,
        evidence=("binlog",),
    ),
    _fault(
        "durability/unsafe_settings", unsafe_settings, "durability_settings", "unsafe_settings",
        "durability", "innodb_flush_log_at_trx_commit = 2", limits=WARNS,
        severity=Severity.WARNING, evidence=("sync_binlog",),
    ),
    _fault(
        "durability/redo_log_off", redo_log_off, "durability_settings", "emergency_settings",
        "durability", "redo", flavours=("mysql",),
    ),
    _fault(
        "clock/ahead", clock_ahead, "clock_skew", "clock_skew_seconds", "clock", "primary",
        "ahead",
    ),
    _fault(
        "durability/restarted", restarted, "restart", "since_restart_seconds", "restart",
        "started only",
        limits=SOON, severity=Severity.WARNING, given=long_up, flavours=("mariadb",),
    ),
    replace(  # MySQL distinguishes a crash from an orderly start
        _fault(
            "durability/crashed_and_back", restarted, "restart", "crash_recovered",
            "availability", "primary: the server crashed", given=long_up, flavours=("mysql",),
            symptoms=("since_restart_seconds",),
        ),
        limits={"restart.since_restart_seconds": SOON},
    ),
    _fault(
        "role/read_only", read_only, "availability", "role_as_expected", "role",
        "should be a primary", "read-only",
    ),
    _volume("binlog_full", binlog_volume_full, "volume_room_ratio", "free of"),
    _volume(
        "binlog_out_of_inodes", binlog_volume_without_inodes, "volume_free_inodes_ratio", "inodes"
    ),
    _volume("binlog_read_only", binlog_volume_read_only, "volume_read_only", "read only"),
)  # fmt: skip
