"""Records every statement an agent sends, with its duration and whether it gave up on a lock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from probes import ProbeError, Session, Target
from probes.words.engine import Engine


@dataclass(frozen=True)
class Statement:
    """One question of ours and how it went."""

    sql: str
    seconds: float
    waited_for_lock: bool


@dataclass
class Meter:
    """What was asked since it was last emptied."""

    statements: list[Statement] = field(default_factory=list)

    def on(self, engine: Engine) -> Engine:
        """The engine, every session of it metered, also those a probe opens itself."""
        return replace(engine, open=lambda target, purpose: self._open(engine, target, purpose))

    def _open(self, engine: Engine, target: Target, purpose: str) -> Session:
        metered: Any = _Metered(engine.open(target, purpose), self)
        session: Session = metered
        return session

    def longer_than(self, seconds: float) -> list[Statement]:
        """The statements that took longer."""
        return [each for each in self.statements if each.seconds > seconds]


class _Metered:
    """A session that notes each of its statements and is otherwise the one inside."""

    def __init__(self, inner: Session, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> Any:
        started, waited = time.monotonic(), False
        try:
            return self._inner.rows(sql, parameters)
        except ProbeError as error:
            waited = error.waited_for_lock
            raise
        finally:
            spent = time.monotonic() - started
            self._meter.statements.append(Statement(" ".join(sql.split()), spent, waited))

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Any]:
        with self._inner.fresh(database) as own:
            yield _Metered(own, self._meter)
