"""Maintenance windows: when one is on, for which target, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.maintenance import Maintenance, On, Window
from tests.support.builders import NOON, a_target

HOUR = timedelta(hours=1)


def once(name: str = "patch", **changes: object) -> Window:
    values: dict[str, object] = {"start": NOON, "end": NOON + 2 * HOUR}
    return Window(name, **(values | changes))  # type: ignore[arg-type]  # tests vary any field


def test_a_window_is_on_from_its_start_until_before_its_end() -> None:
    window = once()
    assert window.until(NOON - timedelta(seconds=1)) is None
    assert window.until(NOON) == NOON + 2 * HOUR
    assert window.until(NOON + 2 * HOUR) is None


@pytest.mark.parametrize(
    ("window", "covered"),
    [
        (once(), True),
        (once(targets=frozenset({"simpeg"})), True),
        (once(targets=frozenset({"other"})), False),
        (once(clusters=frozenset({"c1"})), True),
        (once(clusters=frozenset({"c2"})), False),
    ],
)
def test_a_window_is_about_whom_it_names(window: Window, covered: bool) -> None:
    on = Maintenance([window]).over([a_target(cluster="c1")], NOON)
    assert (on is not None) is covered


def test_of_two_windows_the_one_that_ends_last_counts() -> None:
    longer = once("longer", end=NOON + 5 * HOUR)
    on = Maintenance([once(), longer]).over([a_target()], NOON)
    assert on == On("longer", NOON + 5 * HOUR)


def nightly(**changes: object) -> Window:
    values: dict[str, object] = {
        "days": frozenset(range(7)),
        "at": time(22, 0),
        "lasts": 4 * HOUR,
        "zone": "Asia/Makassar",
    }
    return Window("nightly", **(values | changes))  # type: ignore[arg-type]  # tests vary any field


def wita(day: int, hour: int, minute: int = 0) -> datetime:
    zone = ZoneInfo("Asia/Makassar")
    return datetime(2026, 11, day, hour, minute, tzinfo=zone).astimezone(UTC)


def test_a_recurring_window_crosses_midnight() -> None:
    assert nightly().until(wita(23, 21, 59)) is None
    assert nightly().until(wita(23, 22)) == wita(24, 2)
    assert nightly().until(wita(24, 1, 59)) == wita(24, 2)
    assert nightly().until(wita(24, 2)) is None


def test_a_recurring_window_begins_only_on_its_days() -> None:
    saturday = nightly(days=frozenset({5}))
    assert saturday.until(wita(28, 23)) == wita(29, 2)  # 28 November 2026 is a Saturday
    assert saturday.until(wita(29, 1)) == wita(29, 2)
    assert saturday.until(wita(29, 23)) is None


@given(
    st.integers(0, 2 * 365 * 24 * 60),
    st.sampled_from(["Asia/Makassar", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.times(),
    st.integers(1, 7 * 24),
)
def test_a_run_that_is_on_has_begun_and_has_not_ended(
    minutes: int, zone: str, at: time, hours: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    window = nightly(zone=zone, at=at.replace(tzinfo=None), lasts=timedelta(hours=hours))
    until = window.until(now)
    if hours >= 26:  # longer than any day: always on
        assert until is not None
    if until is not None:
        assert timedelta() < until - now <= timedelta(hours=hours)
