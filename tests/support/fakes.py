"""A fake session whose answers the test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from probes import FailureKind, ProbeError, Row, Session, Shared, Target
from probes.model import Memory
from probes.words.engine import Engine


class FakeServer:
    """Answers every query with ``answers`` until told to refuse, to fail or to freeze."""

    def __init__(self) -> None:
        self.refuses: FailureKind | None = None  # whatever is asked, logins included
        self.login_fails: FailureKind | None = None  # open sessions go on
        self.kept_fails: FailureKind | None = None  # the next question, and no other
        self.answers: list[Row] = [{"up": 1}]
        self.paths: Mapping[str, str] = {}
        self.frozen = threading.Event()
        self.thawed = threading.Event()
        self.logins = 0
        self.open_sessions = 0

    @property
    def engine(self) -> Engine:
        return Engine("postgresql", "Fake", 1, ("postgresql",), self.open)

    def open(self, target: Target, purpose: str) -> Session:
        if self.login_fails is not None:
            raise ProbeError(self.login_fails, "login failed")
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
        self.memory = Memory()
        self._server = server

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        failing, self._server.kept_fails = self._server.kept_fails, None
        if failing is not None:
            raise ProbeError(failing, "the session broke")
        self._server.answer()
        return list(self._server.answers)

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        session = self._server.open(self.target, "fresh")
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        return self._server.paths

    def close(self) -> None:
        self._server.open_sessions -= 1
