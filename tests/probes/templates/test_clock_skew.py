"""A wrong clock is reported with amount and direction; a slow answer is not a wrong clock."""

from __future__ import annotations

import pytest

from probes import Measurement, Row, Text
from probes.templates import clock_skew
from tests.support.builders import a_target
from tests.support.fakes import FakeServer, FakeSession


class Clockwork(FakeSession):
    """A session whose server has the given clock."""

    def __init__(self, now: float) -> None:
        super().__init__(FakeServer(), a_target())
        self.now = now

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        return [{"now": self.now}]


def told(server: float, asked: float, answered: float) -> Measurement:
    ours = iter([asked, answered])
    return clock_skew.skew(Clockwork(server), "the time, please", lambda: next(ours))


@pytest.mark.parametrize(
    ("server", "direction", "by"), [(1090.0, "ahead", 90), (910.0, "behind", 90)]
)
def test_a_clock_that_is_off_is_told_with_its_direction(
    server: float, direction: str, by: float
) -> None:
    found = told(server, 1000.0, 1000.0)
    assert found.value == by
    assert isinstance(found.detail["direction"], Text)
    assert found.detail["direction"].en == direction


@pytest.mark.parametrize(
    ("server", "beyond"),
    [(1000.0, 0), (1003.0, 0), (1006.0, 0), (1007.5, 1.5), (998.0, 2)],
)
def test_a_round_trip_of_six_seconds_is_no_wrong_clock(server: float, beyond: float) -> None:
    """The server looked at its clock anywhere between the question and the answer."""
    assert told(server, 1000.0, 1006.0).value == beyond
