"""The forecast against simulated volumes with a known future."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Measurement, Reading, Text
from probes.host.forecast import FAR_SECONDS, Forecast, Unknown, forecast, theil_sen
from probes.host.samples import DAY, HOUR, History, Hour, from_plain
from probes.host.seen import TargetVolumes
from probes.host.volume_forecast import PROBE, forecasts
from probes.judge import Judge
from probes.local.mounts import Volume
from probes.model import Memory
from tests.support.builders import a_target

GB = 1e9
START = 1_790_000_000.0 - 1_790_000_000.0 % DAY

Shape = Callable[[float], float]
"""Bytes used, by the seconds since the start."""


def lived(used: Shape, days: float, every: float = 300.0, fine_minutes: float = 60.0) -> History:
    """The history of a volume observed for that long; every half minute towards the end."""
    history = History()
    end = days * DAY
    at = 0.0
    while at <= end:
        history = history.add(START + at, used(at))
        at += 30.0 if end - at <= fine_minutes * 60 else every
    return history


def seen(used: Shape, days: float, free: float) -> Forecast | Unknown:
    return forecast(lived(used, days), free, START + days * DAY)


def growing(per_day: float, base: float = 100 * GB) -> Shape:
    return lambda at: base + per_day * at / DAY


def nightly(size: float, hour: float = 1.0, hours: float = 2.0) -> Shape:
    """A dump that fills by and by, and is deleted when it was copied away."""

    def used(at: float) -> float:
        into = at % DAY / HOUR - hour
        return size * min(1.0, into / (hours / 2)) if 0 <= into < hours else 0.0

    return used


def together(*shapes: Shape) -> Shape:
    return lambda at: sum(shape(at) for shape in shapes)


def days_until_full(found: Forecast | Unknown) -> float:
    assert isinstance(found, Forecast), found
    return found.seconds / DAY


def test_a_steady_growth_is_told_in_days() -> None:
    assert days_until_full(seen(growing(1.5 * GB), 10, 30 * GB)) == pytest.approx(20, rel=0.03)


def test_a_nightly_dump_does_not_hide_the_growth_beneath_it() -> None:
    used = together(growing(1.5 * GB), nightly(40 * GB))
    assert days_until_full(seen(used, 14.5, 30 * GB)) == pytest.approx(20, rel=0.05)


def test_one_clean_up_does_not_turn_growth_into_shrinking() -> None:
    used = together(growing(1.5 * GB), nightly(20 * GB), lambda at: -25 * GB * (at > 7 * DAY))
    assert days_until_full(seen(used, 14, 30 * GB)) == pytest.approx(20, rel=0.05)


def test_one_large_import_does_not_become_a_habit() -> None:
    used = together(growing(1.5 * GB), lambda at: 25 * GB * (at > 6.3 * DAY))
    assert days_until_full(seen(used, 13, 30 * GB)) == pytest.approx(20, rel=0.15)


def test_noise_does_not_move_it_far() -> None:
    chance = random.Random(7)
    used = together(growing(1.5 * GB), lambda at: chance.gauss(0, 0.2 * GB))
    assert days_until_full(seen(used, 10, 30 * GB)) == pytest.approx(20, rel=0.15)


def test_a_volume_that_does_not_grow_is_never_full() -> None:
    found = seen(together(growing(0), nightly(20 * GB)), 8.5, 30 * GB)
    assert isinstance(found, Forecast)
    assert found.seconds == FAR_SECONDS


def test_a_volume_that_shrinks_is_never_told_to_fill() -> None:
    found = seen(growing(-0.5 * GB), 8, 1 * GB)
    assert not isinstance(found, Forecast) or found.seconds == FAR_SECONDS


def test_too_short_a_past_is_said_and_no_number_given() -> None:
    found = seen(growing(1.5 * GB), 2, 300 * GB)
    assert isinstance(found, Unknown)
    assert "2.0 days" in found.reason.en
    assert "2,0 hari" in found.reason.id


def test_soon_after_a_clean_up_nobody_knows() -> None:
    used = together(growing(5 * GB), lambda at: -50 * GB * (at > 9 * DAY))
    assert isinstance(seen(used, 10, 300 * GB), Unknown)


def test_a_growth_that_changed_its_pace_is_not_averaged_away() -> None:
    """Quiet for a week, then two days of steep growth: 7.5 days are left, not for ever."""
    used: Shape = lambda at: 100 * GB + max(0.0, at - 7 * DAY) / DAY * 8 * GB  # noqa: E731 - a shape reads best as one line
    assert days_until_full(seen(used, 9, 60 * GB)) == pytest.approx(7.5, rel=0.2)


def test_an_agent_that_was_away_does_not_speak_of_old_times() -> None:
    history = lived(growing(1.5 * GB), 10)
    assert isinstance(forecast(history, 30 * GB, START + 11 * DAY), Unknown)


# -- fast fills ----------------------------------------------------------------------------------


def runaway(per_minute: float, minutes: float, days: float) -> Shape:
    """Quiet until ``minutes`` before the end, then a fill that does not stop."""
    start = days * DAY - minutes * 60
    return lambda at: 100 * GB + max(0.0, at - start) / 60 * per_minute


def test_a_runaway_fill_is_told_within_minutes() -> None:
    """1 GB a minute with 40 GB left: forty minutes, reported after six without any history."""
    history = lived(runaway(1 * GB, 6.5, 0.01), 0.01)
    found = forecast(history, 40 * GB, START + 0.01 * DAY)
    assert isinstance(found, Forecast)
    assert found.seconds == pytest.approx(2400, rel=0.2)
    assert "minutes" in found.basis.en


def test_a_runaway_fill_is_told_in_spite_of_a_quiet_fortnight() -> None:
    found = seen(runaway(1 * GB, 20, 14), 14, 60 * GB)
    assert isinstance(found, Forecast)
    assert found.seconds == pytest.approx(3600, rel=0.2)


def test_one_big_copy_is_not_a_runaway() -> None:
    used: Shape = lambda at: 100 * GB + 10 * GB * (at > 8 * DAY - 600)  # noqa: E731 - a shape reads best as one line
    found = seen(used, 8, 30 * GB)
    assert not isinstance(found, Forecast) or found.seconds > 7 * DAY


def test_the_usual_night_job_is_no_alarm_while_it_runs() -> None:
    """A job that takes 40 GB and gives them back, where 45 are free: seen every night before."""
    used = together(growing(0), nightly(40 * GB, hour=1, hours=3))
    moment = 9 + (1 + 0.6) / 24  # half-way through its filling
    found = seen(used, moment, 145 * GB - used(moment * DAY))
    assert not isinstance(found, Forecast) or found.seconds > DAY


def test_a_night_job_seen_for_the_first_time_is_told() -> None:
    used: Shape = lambda at: 100 * GB + nightly(40 * GB, hours=3)(at) * (at > 9 * DAY)  # noqa: E731 - a shape reads best as one line
    moment = 9 + (1 + 0.6) / 24
    found = seen(used, moment, 20 * GB)
    assert isinstance(found, Forecast)
    assert found.seconds < 2 * HOUR


def test_a_night_job_that_no_longer_fits_is_told() -> None:
    used = together(growing(0), nightly(40 * GB, hour=1, hours=3))
    moment = 9 + (1 + 0.6) / 24
    found = seen(used, moment, 5 * GB)
    assert isinstance(found, Forecast)
    assert found.seconds < HOUR


def test_a_clean_up_ends_a_fast_alarm_at_once() -> None:
    fills = runaway(1 * GB, 20, 1)
    used: Shape = lambda at: fills(at) if at < DAY - 120 else 100 * GB  # noqa: E731 - a shape reads best as one line
    assert not isinstance(seen(used, 1, 60 * GB), Forecast)


# -- the memory ----------------------------------------------------------------------------------


def test_the_history_survives_being_written_down() -> None:
    history = lived(together(growing(1.5 * GB), nightly(20 * GB)), 6)
    assert from_plain(json.loads(json.dumps(history.as_plain()))) == history


@pytest.mark.parametrize("kept", [None, [], {}, {"fine": 1, "hours": []}, {"fine": [[1]]}, "x"])
def test_what_cannot_be_read_is_forgotten(kept: object) -> None:
    assert from_plain(kept) == History()


def test_the_memory_is_bounded_whatever_the_interval() -> None:
    history = History()
    for step in range(20_000):
        history = history.add(START + step * 1.0, 1.0)
    assert len(history.fine) <= 3600 / 20 + 1
    history = lived(growing(1), 40, every=1800)
    assert len(history.hours) <= 15 * 24 + 1


def test_a_clock_put_back_drops_the_future() -> None:
    history = lived(growing(GB), 5).add(START + DAY, 100 * GB)
    assert history.fine == ((START + DAY, 100 * GB),)
    assert max(each.at for each in history.hours) <= START + DAY


@given(
    samples=st.lists(
        st.tuples(st.floats(0, 40 * DAY), st.floats(0, 1e15)), min_size=0, max_size=200
    ),
    free=st.floats(0, 1e15),
)
def test_any_past_gives_a_time_in_bounds_or_a_reason(
    samples: list[tuple[float, float]], free: float
) -> None:
    history = History()
    now = START
    for at, used in sorted(samples):
        now = START + at
        history = history.add(now, used)
    match forecast(history, free, now):
        case Forecast(seconds, _, basis):
            assert 0 <= seconds <= FAR_SECONDS
            assert basis.en
        case Unknown(reason):
            assert reason.en
            assert reason.id


@settings(max_examples=40)
@given(
    per_day=st.floats(0.5, 5),
    spike=st.floats(0, 60),
    seed=st.integers(0, 1000),
    days=st.integers(7, 14),
)
def test_growth_under_spikes_and_noise_is_found(
    per_day: float, spike: float, seed: int, days: int
) -> None:
    """Within a quarter, for any growth that is larger than the noise."""
    chance = random.Random(seed)
    used = together(
        growing(per_day * GB),
        nightly(spike * GB),
        lambda at: chance.uniform(0, 0.1 * GB),
    )
    hours = []
    for hour in range(days * 24):
        within = [used(hour * HOUR + minute * 60) for minute in (0, 20, 40)]
        hours.append(Hour(START + hour * HOUR, min(within), max(within)))
    history = History((), tuple(hours))
    found = forecast(history, 30 * GB, START + days * DAY - 1200)
    assert days_until_full(found) == pytest.approx(30 / per_day, rel=0.25)


@given(slope=st.floats(-1e6, 1e6), wild=st.lists(st.integers(0, 19), max_size=5))
def test_theil_sen_ignores_a_quarter_of_wild_points(slope: float, wild: list[int]) -> None:
    points = [(float(x), slope * x + (1e12 if x in wild else 0.0)) for x in range(20)]
    if len(set(wild)) <= 3:
        assert theil_sen(points) == pytest.approx(slope, abs=1.0, rel=0.05)


# -- the probe -----------------------------------------------------------------------------------


def volume(used: float, free: float = 60 * GB) -> TargetVolumes:
    size = int(used + free)
    found = Volume("/srv", 1, size, int(free), 0, 0, read_only=False, used_bytes=int(used))
    return TargetVolumes({"/srv": (found, ("data", "wal"))}, {}, {}, {})


def test_the_past_outlives_the_agent() -> None:
    """The stored history is plain JSON, and observation continues from it."""
    memory = Memory()
    used = growing(1.5 * GB)
    found: list[Measurement] = []
    for step in range(5 * 24 * 2):
        at = step * 1800.0
        found = list(forecasts(volume(used(at)), memory, START + at))
        memory = Memory(json.loads(json.dumps(memory.kept)))  # a restart after every reading
    by_name = {m.measure: m for m in found}
    assert by_name["volume_forecast_known"].value == 1
    assert by_name["volume_full_in_seconds"].value == pytest.approx(40 * DAY, rel=0.05)
    assert by_name["volume_full_in_seconds"].detail["holds"] == "data, wal"


def test_what_is_not_known_has_no_number_and_a_reason() -> None:
    (found,) = forecasts(volume(100 * GB), Memory(), START)
    assert (found.measure, found.value) == ("volume_forecast_known", 0)
    reason = found.detail["reason"]
    assert isinstance(reason, Text)
    assert "3 are needed" in reason.en


def test_a_stuck_volume_keeps_its_past_and_a_removed_one_is_forgotten() -> None:
    memory = Memory()
    list(forecasts(volume(100 * GB), memory, START))
    list(forecasts(TargetVolumes({}, {}, {}, {"/srv": (5.0, ("data",))}), memory, START + 60))
    assert set(memory.kept["used"]) == {"/srv"}
    list(forecasts(TargetVolumes({}, {}, {}, {}), memory, START + 120))
    assert memory.kept["used"] == {}


def test_a_fill_raises_a_critical_finding_and_a_clean_up_clears_it() -> None:
    """The whole path, on a test clock: 1 GB a minute with 100 GB left, then a deletion."""
    memory = Memory()
    judge, target = Judge(), a_target(host="db01")
    used, free, raised_after, cleared_after = 100 * GB, 100 * GB, None, None
    for step in range(120):
        at = START + step * 30.0
        if step == 60:
            used, free = 90 * GB, 110 * GB
        elif step < 60:
            used, free = used + GB / 2, free - GB / 2
        measured = tuple(forecasts(volume(used, free), memory, at))
        reading = Reading("simpeg", PROBE.name, datetime.fromtimestamp(at, UTC), 0.0, measured)
        findings = judge.assess(target, PROBE, reading).findings
        opens = [each for each in findings if each.opens]
        if opens and raised_after is None:
            raised_after = step / 2
            assert "/srv (data, wal)" in opens[0].title.en
            assert "penuh dalam" in opens[0].title.id
        if raised_after is not None and step > 60 and not opens and cleared_after is None:
            cleared_after = (step - 60) / 2
    assert raised_after is not None and raised_after <= 12  # minutes
    assert cleared_after is not None and cleared_after <= 5
