"""The periodic work of the desk, while the host's clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from apscheduler.schedulers import base

from agent import desk_services
from agent.config.load import find, load
from agent.metrics.readings import Latest
from agent.metrics.registry import Metrics
from agent.metrics.text_format import Board
from agent.runtime.scheduler import Clocks
from probes import Address
from tests.support.agent import target_lines, write_config
from tests.support.builders import a_target
from tests.support.wait import until

CLOSED = target_lines(a_target("mati", address=Address("127.0.0.1", 1, "sigap")))


class SetClock(datetime):
    """The host's wall clock, which the test sets back."""

    back = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) - cls.back


def test_time_standards_are_swept_while_the_wall_clock_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "datetime", SetClock)
    monkeypatch.setattr(SetClock, "back", timedelta())
    monkeypatch.setattr(desk_services, "SWEEP_SECONDS", 1)
    config = load(find(str(write_config(tmp_path, [CLOSED]))))
    board = Board()
    office = desk_services.BackOffice(
        config,
        Latest(board, monotonic),
        Metrics(board, monotonic),
        Clocks(lambda: SetClock.now(UTC), monotonic),
        demo=False,
    )
    swept: list[datetime] = []
    monkeypatch.setattr(office.desk, "sweep", swept.append)
    office.start()
    try:
        until("the first sweep", lambda: swept)
        SetClock.back = timedelta(hours=1)
        before = len(swept) + 1  # one may be under way
        until("sweeps by the clock set back", lambda: len(swept) > before + 2, 10)
    finally:
        office.stop(5)
