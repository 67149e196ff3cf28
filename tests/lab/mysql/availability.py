"""The server cannot be used: gone, frozen, unreachable, full, or refusing the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from tests.lab import outages
from tests.lab.mysql.world import CLERK, World
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD


@contextmanager
def connections_used_up(world: World) -> Iterator[None]:
    """An application without a pool takes every connection."""
    with world.crowd():
        yield


@contextmanager
def account_locked(world: World) -> Iterator[None]:
    """On the primary only; open sessions continue, new logins are refused."""
    world.primary.sql("SET sql_log_bin = 0", f"ALTER USER '{MONITOR}'@'%' ACCOUNT LOCK")
    try:
        yield
    finally:
        world.primary.sql("SET sql_log_bin = 0", f"ALTER USER '{MONITOR}'@'%' ACCOUNT UNLOCK")


@contextmanager
def password_changed(world: World) -> Iterator[None]:
    """On the primary, and with it on every replica; sessions that are in stay in."""
    _change_password(world, "bukan-yang-dipasang")
    try:
        yield
    finally:
        _change_password(world, MONITOR_PASSWORD)


def _change_password(world: World, to: str) -> None:
    world.primary.sql(f"ALTER USER '{MONITOR}'@'%' IDENTIFIED BY '{to}'")
    world.wait_whole()


@contextmanager
def shut_out(world: World) -> Iterator[None]:
    with account_locked(world):
        for row in world.primary.sql(
            f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{MONITOR}'"
        ):
            world.primary.sql(f"KILL {row['ID']}")
        yield


ALIVE: Mapping[str, Any] = {"local": True, "evidence": ("denied", "sleeping (S)")}
"""The server runs and refuses our logins."""

LOGIN: Mapping[str, Any] = {"probe": "login", "measure": "fresh_login_ok"}

_fault = partial(outages.fault, engine="mysql")

FAULTS = (
    *outages.faults("mysql"),
    replace(
        _fault("connections_used_up", connections_used_up, "connections are taken", CLERK),
        probe="connections",
        measure="connections_used_ratio",
        family="connections",
        evidence=(CLERK,),
    ),
    _fault(
        "password_changed",
        password_changed,
        "primary",
        "does not let Sigap's monitoring account in",
        "is not known",
        symptoms=("fresh_login_ok",),
        **LOGIN,
    ),
    _fault("account_locked", account_locked, "primary", "locked", **LOGIN),
    _fault("shut_out", shut_out, "primary", "rejects the monitoring account", **ALIVE),
)
