"""The server cannot be used: gone, frozen, unreachable, full, or refusing the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg2

from tests.lab import outages
from tests.lab.postgresql.world import CLERK, World
from tests.servers.postgresql import MONITOR, MONITOR_PASSWORD


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
    """pg_hba.conf was edited: open sessions continue, new logins are refused."""
    with world.hba(f"host all {MONITOR} 127.0.0.1/32 reject"):
        yield


@contextmanager
def login_rule_and_sessions_removed(world: World) -> Iterator[None]:
    with world.hba(f"host all {MONITOR} 127.0.0.1/32 reject"):
        world.primary.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", MONITOR
        )
        yield


@contextmanager
def password_changed(world: World) -> Iterator[None]:
    """On the primary, and with it on every replica; sessions that are in stay in."""
    _change_password(world, "bukan-yang-dipasang")
    try:
        yield
    finally:
        _change_password(world, MONITOR_PASSWORD)


@contextmanager
def account_locked(world: World) -> Iterator[None]:
    """On the primary, and so on every replica; we have no open session left."""
    world.primary.sql(f"alter role {MONITOR} nologin")
    world.wait_whole()
    try:
        for server in (world.primary, world.replica):
            server.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", MONITOR
            )
        yield
    finally:
        world.primary.sql(f"alter role {MONITOR} login")
        world.wait_whole()


def _change_password(world: World, to: str) -> None:
    world.primary.sql(f"alter role {MONITOR} password '{to}'")
    world.wait_whole()


ALIVE: Mapping[str, Any] = {"local": True, "evidence": ("denied", '"postgres", {"en": "')}
"""The server runs and refuses our logins; its process is shown, asleep or answering us."""

LOGIN: Mapping[str, Any] = {"probe": "login", "measure": "fresh_login_ok"}

_fault = partial(outages.fault, engine="postgresql")

FAULTS = (
    *outages.faults("postgresql"),
    replace(
        _fault("slots_used_up", slots_used_up, "connection slots are used", CLERK),
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
    _fault(
        "account_locked",
        account_locked,
        "primary",
        "rejects the monitoring",
        symptoms=("up",),
        **ALIVE,
    ),
    _fault("rule_removed", login_rule_removed, "Sigap's monitoring account", "pg_hba", **LOGIN),
    _fault(
        "shut_out", login_rule_and_sessions_removed, "primary", "rejects the monitoring", **ALIVE
    ),
)
