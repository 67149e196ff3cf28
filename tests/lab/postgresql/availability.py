"""The server cannot be used: gone, frozen, unreachable, full, or refusing the account."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2

from tests.lab.postgresql.world import CLERK, World
from tests.lab.scenario import PRIMARY, REPLICA, Break, Fault
from tests.servers.postgresql import MONITOR


@contextmanager
def stopped(world: World) -> Iterator[None]:
    world.primary.stop()
    try:
        yield
    finally:
        world.primary.start()
        world.wait_whole()


@contextmanager
def killed(world: World) -> Iterator[None]:
    world.primary.stop(hard=True)
    try:
        yield
    finally:
        world.primary.start()
        world.primary.restart()  # an orderly start afterwards: the crash is history
        world.wait_whole()


@contextmanager
def frozen(world: World) -> Iterator[None]:
    world.primary.freeze()
    try:
        yield
    finally:
        world.primary.thaw()
        world.wait_whole()


@contextmanager
def replica_stopped(world: World) -> Iterator[None]:
    world.replica.stop()
    try:
        yield
    finally:
        world.replica.start()
        world.wait_whole()


@contextmanager
def replica_frozen(world: World) -> Iterator[None]:
    world.replica.freeze()
    try:
        yield
    finally:
        world.replica.thaw()
        world.wait_whole()


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
    world.wait_whole()


@contextmanager
def slots_used_up(world: World) -> Iterator[None]:
    """An application without a pool takes every slot that is not reserved."""
    with ExitStack() as stack:
        with suppress(psycopg2.OperationalError):
            while True:
                stack.callback(world.connect_as_clerk().close)
        yield
    world.wait_whole()


@contextmanager
def login_rule_removed(world: World) -> Iterator[None]:
    """pg_hba.conf was edited: sessions that are in stay in, nobody new gets in."""
    with world.hba(f"host all {MONITOR} 127.0.0.1/32 reject"):
        yield


@contextmanager
def login_rule_and_sessions_removed(world: World) -> Iterator[None]:
    with world.hba(f"host all {MONITOR} 127.0.0.1/32 reject"):
        world.primary.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", MONITOR
        )
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
        f"availability/{name}", "postgresql", inject, target, probe, measure,
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

ALIVE: Mapping[str, Any] = {"local": True, "evidence": ("denied", "postgres", "(S)")}
"""The server runs and lets nobody of ours in."""

LOGIN: Mapping[str, Any] = {"probe": "login", "measure": "fresh_login_ok"}

FAULTS = (
    _fault("stopped", stopped, "primary", "refuses connections", **GONE),
    _fault("power_cut", killed, "primary", "refuses connections", **GONE),
    _fault("frozen", frozen, "primary", "does not answer", **FROZEN),
    _fault(
        "replica_stopped", replica_stopped, "replica", "refuses connections", target=REPLICA, **GONE
    ),
    _fault(
        "replica_frozen", replica_frozen, "replica", "does not answer", target=REPLICA, **FROZEN
    ),
    _fault("silent_network", silent_network, "does not answer", through_proxy=True, **HANGS),
    _fault(
        "accepts_and_is_silent", accepts_and_is_silent, "primary", "does not answer", **SQUATTER
    ),
    replace(
        _fault("slots_used_up", slots_used_up, "connection slots are used", CLERK),
        probe="connections",
        measure="connections_used_ratio",
        family="connections",
        evidence=(CLERK,),
    ),
    _fault("rule_removed", login_rule_removed, "New logins", "pg_hba", **LOGIN),
    _fault(
        "shut_out", login_rule_and_sessions_removed, "primary", "rejects the monitoring", **ALIVE
    ),
)
