"""Fixtures for the runner: a target, a fake session, small probes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from probes import Address, Exhibit, Measure, Measurement, Probe, Session, Target
from probes.model import MemoryKey
from tests.support.fakes import FakeServer
from tests.support.words import both

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TARGET = Target(
    "simpeg", "postgresql", Address("127.0.0.1", 1, "sigap"), volumes={"wal": "/srv/wal"}
)


def a_server() -> FakeServer:
    """A server that returns two rows and the path of its data."""
    server = FakeServer()
    server.answers = [{"one": 1}, {"one": 2}]
    server.paths = {"data": "/srv/data"}
    return server


def probe(
    name: str,
    read: Callable[[Session], Iterable[Measurement]],
    engine: str = "postgresql",
    exhibits: Callable[[Session], Iterable[Exhibit]] | None = None,
) -> Probe:
    return Probe(
        name,
        engine,
        both("?", "?"),
        (Measure("value", "", "A value."),),
        (),
        read,
        exhibits=exhibits,
    )


def ask(session: Session) -> Iterable[Measurement]:
    return [Measurement("value", float(len(session.rows("select"))))]


ASKED = MemoryKey[int]("how many asked")


def counted(session: Session) -> Iterable[Measurement]:
    """How many probes of this round asked before, and how many of this login."""
    for shared in (session.shared.round, session.shared.login):
        shared.set(ASKED, (shared.get(ASKED) or 0) + 1)
    round_, login = session.shared.round.get(ASKED) or 0, session.shared.login.get(ASKED) or 0
    yield Measurement("value", round_ + 100.0 * login)
