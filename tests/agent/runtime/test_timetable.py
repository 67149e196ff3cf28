"""When a probe is due: fixed intervals without a backlog."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.timetable import Timetable, phase
from probes.fleet.plan import shift


def test_everything_is_due_at_the_first_round() -> None:
    table = Timetable({"availability": 15.0, "locks": 5.0}, first=100.0)
    assert table.next == 100.0
    assert table.take(100.0) == ("availability", "locks")


def test_a_fast_probe_is_due_between_the_slow_ones() -> None:
    table = Timetable({"availability": 15.0, "locks": 5.0}, first=100.0)
    table.take(100.0)
    assert table.next == 105.0
    assert table.take(105.0) == ("locks",)
    table.take(110.0)
    assert table.take(115.0) == ("availability", "locks")


def test_a_rare_probe_is_asked_at_once_and_then_in_a_round_of_its_own() -> None:
    table = Timetable({"up": 15.0, "login": 60.0}, first=0.0, shifts={"login": 30.0})
    assert table.take(0.0) == ("up", "login")
    asked = [at for at in range(15, 200, 15) if "login" in table.take(float(at))]
    assert asked == [30, 90, 150]


def test_rare_questions_of_many_targets_are_spread_over_their_whole_period() -> None:
    shifts = [shift(f"server{number}", "login", 60.0, 15.0) for number in range(1000)]
    counts = [shifts.count(seconds) for seconds in (0.0, 15.0, 30.0, 45.0)]
    assert sum(counts) == 1000
    assert min(counts) > 200
    assert shift("server1", "up", 15.0, 15.0) == 0.0
    assert shift("server1", "locks", 5.0, 15.0) == 0.0


def test_rounds_missed_are_counted_and_not_made_up() -> None:
    table = Timetable({"availability": 15.0}, first=0.0)
    table.take(0.0)
    table.catch_up(50.0)  # the round took until 50: 15, 30 and 45 have passed
    assert table.skipped == 3
    assert table.next == 60.0


def test_a_late_round_returns_to_its_own_grid() -> None:
    table = Timetable({"availability": 15.0}, first=7.0)
    table.take(7.0)
    table.take(24.0)
    assert table.next == 37.0


def test_backing_off_moves_to_the_grid_and_is_no_skip() -> None:
    table = Timetable({"availability": 15.0, "locks": 5.0}, first=0.0)
    table.take(0.0)
    table.hold(15.0)
    assert table.next == 15.0
    assert table.skipped == 0


def test_a_probe_in_doubt_keeps_to_a_closer_grid_until_the_doubt_is_gone() -> None:
    table = Timetable({"login": 60.0}, first=0.0, in_doubt={"login": 15.0})
    table.take(0.0)
    assert table.next == 60.0
    table.doubt("login", True, 0.0)
    assert table.next == 15.0
    table.take(15.0)
    assert table.next == 30.0
    table.doubt("login", False, 15.0)
    assert table.next == 60.0


def test_a_probe_without_a_closer_grid_is_not_asked_sooner_in_doubt() -> None:
    table = Timetable({"sequences": 300.0}, first=0.0)
    table.take(0.0)
    table.doubt("sequences", True, 0.0)
    assert table.next == 300.0


def test_a_target_without_probes_is_never_due() -> None:
    table = Timetable({}, first=0.0)
    assert table.next == math.inf
    assert table.take(1e9) == ()


@given(
    st.floats(0.1, 3600),
    st.floats(0, 1e6),
    st.lists(st.floats(0.001, 1e4), min_size=1, max_size=20),
)
def test_the_next_round_is_always_ahead_and_on_the_grid(
    period: float, first: float, steps: list[float]
) -> None:
    table = Timetable({"p": period}, first)
    at = first
    for step in steps:
        at += step
        table.take(at)
        assert at < table.next <= at + period * 1.000001
        points = (table.next - first) / period
        assert points == pytest.approx(round(points), abs=1e-6)


def test_one_target_begins_at_once_and_a_thousand_are_spread_over_the_interval() -> None:
    assert phase("simpeg", 15.0, 1) < 0.02
    phases = [phase(f"target-{n}", 15.0, 1000) for n in range(1000)]
    assert 0 <= min(phases) < 1 and 14 < max(phases) < 15
    busiest = max(sum(second <= p < second + 1 for p in phases) for second in range(15))
    assert busiest < 100


def test_the_phase_of_a_name_is_always_the_same() -> None:
    assert phase("simpeg", 15.0, 500) == phase("simpeg", 15.0, 500)
