"""Outages common to both engines: stopped, frozen, unreachable, port taken; and restarts."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from tests.lab.scenario import PRIMARY, REPLICA, Break, Fault
from tests.lab.stage import AGENT
from tests.servers import wrong_port
from tests.servers.dripping import DrippingProxy


class Process(Protocol):
    """A server of either engine, as a process."""

    port: int

    def start(self) -> object: ...
    def stop(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class Pair(Protocol):
    """What a world must be able to do for its servers to be taken away."""

    proxy: DrippingProxy
    replica_proxy: DrippingProxy

    @property
    def primary(self) -> Process: ...
    @property
    def replica(self) -> Process: ...
    def power_cut(self) -> None: ...
    def power_back(self) -> None: ...
    def go_on(self) -> None: ...


World = TypeVar("World", bound=Pair)


@contextmanager
def stopped(world: Pair) -> Iterator[None]:
    """Stopped in order, and started again; announced it is a planned restart."""
    world.primary.stop()
    try:
        yield
    finally:
        world.primary.start()
        world.go_on()


@contextmanager
def killed(world: Pair) -> Iterator[None]:
    world.power_cut()
    try:
        yield
    finally:
        world.power_back()
        world.go_on()


@contextmanager
def frozen(world: Pair) -> Iterator[None]:
    world.primary.freeze()
    try:
        yield
    finally:
        world.primary.thaw()
        world.go_on()


@contextmanager
def replica_stopped(world: Pair) -> Iterator[None]:
    world.replica.stop()
    try:
        yield
    finally:
        world.replica.start()
        world.go_on()


@contextmanager
def replica_frozen(world: Pair) -> Iterator[None]:
    world.replica.freeze()
    try:
        yield
    finally:
        world.replica.thaw()
        world.go_on()


@contextmanager
def silent_network(world: Pair) -> Iterator[None]:
    """Bytes go out, and no more than one comes back in a minute."""
    world.proxy.pace_seconds = 60.0
    try:
        yield
    finally:
        world.proxy.pace_seconds = None


@contextmanager
def cut_off(world: Pair) -> Iterator[None]:
    """The agent's own network: nothing comes back from anybody, not even from a kernel."""
    with world.proxy.swallowing(), world.replica_proxy.swallowing():
        yield


@contextmanager
def accepts_and_is_silent(world: Pair) -> Iterator[None]:
    """Another program listens on the server's port and never answers."""
    world.primary.stop()
    with socket.create_server(("127.0.0.1", world.primary.port)):
        yield
    world.primary.start()
    world.go_on()


@contextmanager
def answers_http(world: Pair) -> Iterator[None]:
    """Something else has the server's port, and answers in its own language."""
    world.primary.stop()
    with wrong_port.listening(wrong_port.answers_http, world.primary.port):
        yield
    world.primary.start()
    world.go_on()


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
"""Another program has the server's port."""


FOREIGN: Mapping[str, Any] = {
    "local": True,
    "evidence": ("refused", "python", "no process of the server"),
}
"""The same, by a program that talks."""


def fault(
    name: str,
    inject: Break[World],
    *words: str,
    engine: str,
    target: str = PRIMARY,
    probe: str = "availability",
    measure: str = "up",
    **more: Any,
) -> Fault[World]:
    """A fault of the family ``availability``."""
    return Fault(
        f"availability/{name}", engine, inject, target, probe, measure, "availability", words,
        **more,
    )  # fmt: skip


def faults(engine: str) -> Sequence[Fault[Any]]:
    """Every one of these on an engine's primary or replica."""
    down, hangs = "refuses connections", "does not answer"
    rows: Sequence[tuple[str, Break[Any], str, str, Mapping[str, Any]]] = (
        ("stopped", stopped, PRIMARY, down, GONE),
        ("power_cut", killed, PRIMARY, down, GONE),
        ("frozen", frozen, PRIMARY, hangs, FROZEN),
        ("replica_stopped", replica_stopped, REPLICA, down, GONE),
        ("replica_frozen", replica_frozen, REPLICA, hangs, FROZEN),
        ("silent_network", silent_network, PRIMARY, hangs, {**HANGS, "through_proxy": True}),
        ("accepts_and_is_silent", accepts_and_is_silent, PRIMARY, hangs, SQUATTER),
        ("answers_http", answers_http, PRIMARY, "does not speak its protocol", FOREIGN),
    )
    away = fault(
        "agent_cut_off", cut_off, f"Agent {AGENT} cannot reach", f"{PRIMARY}, {REPLICA}",
        engine=engine, target=AGENT, probe="reach", measure="agent_unreached_targets",
        through_proxy=True, symptoms=("up",), evidence=("timeout",), **HANGS,
    )  # fmt: skip
    return [
        replace(away, family="reach"),
        *(
            fault(name, inject, target, said, engine=engine, target=target, **more)
            for name, inject, target, said, more in rows
        ),
    ]
