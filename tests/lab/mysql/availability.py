"""The server cannot be used: gone, frozen, unreachable, full, or refusing the account."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.lab.mysql.world import CLERK, World
from tests.lab.scenario import PRIMARY, REPLICA, Break, Fault
from tests.servers.mariadb import MONITOR


@contextmanager
def stopped(world: World) -> Iterator[None]:
    world.primary.stop()
    try:
        yield
    finally:
        world.primary.start()
        world.go_on()


@contextmanager
def killed(world: World) -> Iterator[None]:
    world.primary.kill()
    try:
        yield
    finally:
        world.primary.start()
        world.go_on()


@contextmanager
def frozen(world: World) -> Iterator[None]:
    with world.primary.frozen():
        yield
    world.go_on()


@contextmanager
def replica_stopped(world: World) -> Iterator[None]:
    world.replica.stop()
    try:
        yield
    finally:
        world.replica.start()
        world.replica.sql("SET GLOBAL read_only = 1")
        world.go_on()


@contextmanager
def replica_frozen(world: World) -> Iterator[None]:
    with world.replica.frozen():
        yield
    world.go_on()


@contextmanager
def silent_network(world: World) -> Iterator[None]:
    """Bytes go out, and no more than one comes back in a minute."""
    world.proxy.pace_seconds = 60.0
    try:
        yield
    finally:
        world.proxy.pace_seconds = None


@contextmanager
def accepts_and_is_silent(world: World) -> Iterator[None]:
    """Something else listens on the server's port and never says a word."""
    world.primary.stop()
    with socket.create_server(("127.0.0.1", world.primary.port)):
        yield
    world.primary.start()
    world.go_on()


@contextmanager
def connections_used_up(world: World) -> Iterator[None]:
    """An application without a pool takes every connection."""
    with world.crowd():
        yield


@contextmanager
def account_locked(world: World) -> Iterator[None]:
    """On the primary only; sessions that are in stay in, nobody new gets in."""
    world.primary.sql("SET sql_log_bin = 0", f"ALTER USER '{MONITOR}'@'%' ACCOUNT LOCK")
    try:
        yield
    finally:
        world.primary.sql("SET sql_log_bin = 0", f"ALTER USER '{MONITOR}'@'%' ACCOUNT UNLOCK")


@contextmanager
def shut_out(world: World) -> Iterator[None]:
    with account_locked(world):
        for row in world.primary.sql(
            f"SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{MONITOR}'"
        ):
            world.primary.sql(f"KILL {row['ID']}")
        yield


def _fault(
    name: str,
    inject: Break[World],
    *words: str,
    target: str = PRIMARY,
    probe: str = "availability",
    measure: str = "up",
    **more: Any,
) -> Fault[World]:
    return Fault(
        f"availability/{name}", "mysql", inject, target, probe, measure,
        "availability", words, **more,
    )  # fmt: skip


HANGS: Mapping[str, Any] = {"deadline": 1.0}
"""A server that hangs costs the whole deadline in every round."""

GONE: Mapping[str, Any] = {
    "local": True,
    "evidence": ("refused", "nothing listens on port", "no process of the server"),
}
"""What is seen from outside of a server that has ended."""

FROZEN: Mapping[str, Any] = {**HANGS, "local": True, "evidence": ("timeout", "stopped (T)")}

SQUATTER: Mapping[str, Any] = {
    **HANGS,
    "local": True,
    "evidence": ("timeout", "python", "no process of the server"),
}
"""Somebody else has the server's port."""

ALIVE: Mapping[str, Any] = {"local": True, "evidence": ("denied", "sleeping (S)")}
"""The server runs and lets nobody of ours in."""

LOGIN: Mapping[str, Any] = {"probe": "login", "measure": "fresh_login_ok"}

FAULTS = (
    _fault("stopped", stopped, "primary", "refuses connections", **GONE),
    _fault("power_cut", killed, "primary", "refuses connections", **GONE),
    _fault("frozen", frozen, "primary", "does not answer", **FROZEN),
    _fault(
        "replica_stopped", replica_stopped, "replica", "refuses connections", target=REPLICA, **GONE
    ),
    _fault("replica_frozen", replica_frozen, "replica", "not answer", target=REPLICA, **FROZEN),
    _fault("silent_network", silent_network, "not answer", through_proxy=True, **HANGS),
    _fault("accepts_and_is_silent", accepts_and_is_silent, "does not answer", **SQUATTER),
    replace(
        _fault("connections_used_up", connections_used_up, "connections are taken", CLERK),
        probe="connections",
        measure="connections_used_ratio",
        family="connections",
        evidence=(CLERK,),
    ),
    _fault("account_locked", account_locked, "primary", "locked", **LOGIN),
    _fault("shut_out", shut_out, "primary", "rejects the monitoring account", **ALIVE),
)
