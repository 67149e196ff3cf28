"""A server at the session seam, and probes that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from probes import (
    Address,
    Exhibit,
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Row,
    Session,
    Shared,
    Target,
    Text,
)
from probes.engine import Engine

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TARGET = Target("simpeg", "fake", Address("127.0.0.1", 1, "sigap"), volumes={"wal": "/srv/wal"})


class FakeServer:
    """Stands at the session seam: counts what is open and fails on command."""

    def __init__(self) -> None:
        self.open_sessions = 0
        self.logins = 0
        self.login_fails: FailureKind | None = None
        self.kept_fails: FailureKind | None = None
        self.paths: Mapping[str, str] = {"data": "/srv/data"}

    def open(self, target: Target, purpose: str) -> Session:
        if self.login_fails:
            raise ProbeError(self.login_fails, "login failed")
        self.logins += 1
        self.open_sessions += 1
        return FakeSession(self, target)

    @property
    def engine(self) -> Engine:
        return Engine("fake", "Fake", 1, ("fake",), self.open)


class FakeSession:
    flavour = "fake"
    version = 1
    phases: Mapping[str, float] = {}

    def __init__(self, server: FakeServer, target: Target) -> None:
        self.server = server
        self.target = target
        self.memory: dict[str, object] = {}

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        failing, self.server.kept_fails = self.server.kept_fails, None
        if failing:
            raise ProbeError(failing, "the session broke")
        return [{"one": 1}, {"one": 2}]

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        session = self.server.open(self.target, "fresh")
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        return self.server.paths

    def close(self) -> None:
        self.server.open_sessions -= 1


def probe(
    name: str,
    read: Callable[[Session], Iterable[Measurement]],
    engine: str = "fake",
    exhibits: Callable[[Session], Iterable[Exhibit]] | None = None,
) -> Probe:
    return Probe(
        name,
        engine,
        Text("?", "?"),
        (Measure("value", "", "A value."),),
        (),
        read,
        exhibits=exhibits,
    )


def ask(session: Session) -> Iterable[Measurement]:
    return [Measurement("value", float(len(session.rows("select"))))]


def counted(session: Session) -> Iterable[Measurement]:
    """How many probes of this round asked before, and how many of this login."""
    for shared in (session.shared.round, session.shared.login):
        shared["asked"] = shared.get("asked", 0) + 1
    yield Measurement("value", session.shared.round["asked"] + 100 * session.shared.login["asked"])
