"""A server that does what the test says, standing at the session seam."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from probes import FailureKind, ProbeError, Row, Session, Shared, Target
from probes.engine import Engine


class FakeServer:
    """Answers every question with ``up`` = 1 until told to refuse or to freeze."""

    def __init__(self) -> None:
        self.refuses: FailureKind | None = None
        self.frozen = threading.Event()
        self.thawed = threading.Event()
        self.logins = 0
        self.open_sessions = 0

    @property
    def engine(self) -> Engine:
        return Engine("postgresql", "Fake", 1, ("postgresql",), self.open)

    def open(self, target: Target, purpose: str) -> Session:
        self.answer()
        self.logins += 1
        self.open_sessions += 1
        return FakeSession(self, target)

    def answer(self) -> None:
        """Fail or hang, if that is what the server does now."""
        if self.frozen.is_set():
            self.thawed.wait(60)
        if self.refuses is not None:
            raise ProbeError(self.refuses, f"the server answers: {self.refuses.value}")


class FakeSession:
    """One session on a ``FakeServer``."""

    flavour = "postgresql"
    version = 150018
    phases: Mapping[str, float] = {}

    def __init__(self, server: FakeServer, target: Target) -> None:
        self.target = target
        self.memory: dict[str, object] = {}
        self._server = server

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        self._server.answer()
        return [{"up": 1}]

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        session = self._server.open(self.target, "fresh")
        yield session
        session.close()

    def paths(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        self._server.open_sessions -= 1
