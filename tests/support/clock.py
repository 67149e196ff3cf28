"""A clock that the test moves."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.runtime.scheduler import Clocks
from tests.support.builders import NOON


class HandClock:
    """Both of the daemon's clocks, moved together."""

    def __init__(self, now: datetime = NOON, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.now, self.monotonic)
