"""Forecast of when a volume will be full, from its history.

A straight line through a sawtooth misleads: after a clean-up it shows shrinking, during every
nightly dump it predicts a full disk within the hour. ``forecast`` (a pure function) therefore uses
two methods. *Fast*: steady growth for at least five minutes, more than a job at this hour usually
causes. *Daily*: how much more is used than at the same hour a day before, on the median day since
the last clean-up, if the slope through the hours agrees. If neither applies it returns a reason
instead of a number. If growth has accelerated, the last day is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from probes.host.samples import DAY, HOUR, History, Hour
from probes.i18n.formats import number
from probes.model import Text

FAR_SECONDS = 90 * DAY
"""Reported when the volume does not fill, or too slowly for a meaningful forecast."""

LEAST_DAYS = 3
FAST_WINDOWS_SECONDS = (3600.0, 1800.0, 600.0, 300.0)
FAST_LEAST_SAMPLES = 6
FAST_REACH = 12
"""A slope is extrapolated for twelve times as long as it was observed: an hour from five minutes.
"""

_MOST_POINTS = 100  # Theil-Sen looks at every pair
_NOISE = 0.002  # of what is used: below this a fall is not a clean-up


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the volume is full at the growth seen."""

    seconds: float  # at most FAR_SECONDS
    bytes_per_second: float
    basis: Text


@dataclass(frozen=True, slots=True)
class Unknown:
    """The reason why there is no forecast."""

    reason: Text


def forecast(history: History, free: float, now: float) -> Forecast | Unknown:
    """When ``free`` bytes are used up, from the history of used bytes until ``now``.

    ``now`` is in seconds since the epoch, as in the history.
    """
    fast = _fast(history, free, now)
    if fast is not None:
        return fast
    return _daily(history, free, now)


# -- fast: minutes -----------------------------------------------------------------------------


def _fast(history: History, free: float, now: float) -> Forecast | None:
    """The slope of the last minutes, if it is steady, soon, and not usual at this hour."""
    recent = since_fall([each for each in history.fine if each[0] <= now])
    for window in FAST_WINDOWS_SECONDS:
        points = [each for each in recent if each[0] >= now - window]
        slope = steady_slope(points, window)
        if slope is None:
            continue
        seconds = free / slope
        span = points[-1][0] - points[0][0]
        if seconds > FAST_REACH * span or _as_every_day(history, points[-1][1], free, now):
            return None
        minutes = round(span / 60)
        basis = Text("by the last {minutes} minutes", minutes=minutes)
        return Forecast(seconds, slope, basis)
    return None


def steady_slope(points: Sequence[tuple[float, float]], window: float) -> float | None:
    """Bytes a second, when the points fill the window (seconds) and rise in each of its thirds.

    One large copy is a step: steep on the whole, flat in one of its thirds.
    """
    if len(points) < FAST_LEAST_SAMPLES or points[-1][0] - points[0][0] < 0.9 * window:
        return None
    slope = theil_sen(points[:: -(-len(points) // _MOST_POINTS)])
    third = max(len(points) // 3, 2)
    parts = (points[:third], points[third : 2 * third], points[-third:])
    if slope <= 0 or any(_rise(part) < 0.3 * slope for part in parts):
        return None
    return slope


def _as_every_day(history: History, used: float, free: float, now: float) -> bool:
    """Whether a job of this hour explains the use, and still fits as it did on other days."""
    usual = usual_rise(history.hours, now)
    lows = [each.low for each in history.hours if each.at > now - DAY]
    if usual is None or not lows:
        return False
    above = used - min(lows)
    return above <= 1.1 * usual < above + free


def since_fall(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The points after the last clear fall, so that a deletion is not part of the growth."""
    for index in range(len(points) - 1, 0, -1):
        before, after = points[index - 1][1], points[index][1]
        if before - after > _NOISE * before:
            return points[index:]
    return points


def _rise(points: Sequence[tuple[float, float]]) -> float:
    (start, low), (end, high) = points[0], points[-1]
    return (high - low) / (end - start) if end > start else 0.0


def usual_rise(hours: Sequence[Hour], now: float) -> float | None:
    """How much is used temporarily around this hour on other days; None: seen on no other day.

    A job that writes and cleans up shows as the high of its hours above the low of the day. The
    median day counts, so that one accident does not become the norm.
    """
    rises = []
    for days in range(1, LEAST_DAYS + 5):
        middle = now - days * DAY
        job = [each for each in hours if abs(each.at + HOUR / 2 - middle) <= 2 * HOUR]
        around = [each for each in hours if abs(each.at + HOUR / 2 - middle) <= DAY / 2]
        if job and len(around) >= 12:
            rises.append(max(each.high for each in job) - min(each.low for each in around))
    return median(rises) if len(rises) >= 2 else None


# -- daily: days -------------------------------------------------------------------------------


def _daily(history: History, free: float, now: float) -> Forecast | Unknown:
    hours = since_clean_up(history.hours)
    if not hours or now - hours[-1].at > 3 * HOUR:
        return Unknown(Text("nothing was observed lately"))
    span = hours[-1].at - hours[0].at
    deltas = daily_deltas(hours)
    if span < LEAST_DAYS * DAY or len(deltas) < LEAST_DAYS * 12:
        return Unknown(
            Text(
                "observed for {days} days only since the start or the last clean-up, "
                "{least_days} are needed",
                days=number(span / DAY, 1, zeros=True),
                least_days=LEAST_DAYS,
            )
        )
    speed = median(deltas) / DAY
    slope = theil_sen([(each.at, each.low) for each in _thinned(hours)])
    days_seen = round(span / DAY)
    basis = Text("by the last {days_seen} days", days_seen=days_seen)
    of_late = _last_day(hours, deltas)
    if of_late > 2 * max(speed, slope, 0.0):
        speed = slope = of_late
        basis = Text("by the last day")
    soonest, latest = sorted(free / each if each > 0 else FAR_SECONDS for each in (speed, slope))
    if soonest >= FAR_SECONDS:
        return Forecast(FAR_SECONDS, speed, basis)
    if latest > 3 * soonest:
        return Unknown(Text("its growth is not steady: two ways of reckoning disagree"))
    return Forecast(min(free / speed, FAR_SECONDS) if speed > 0 else latest, speed, basis)


def _last_day(hours: Sequence[Hour], deltas: Sequence[float]) -> float:
    """Bytes a second over the last day, if it rose all day, which a single import does not."""
    day = [(each.at, each.low) for each in hours if each.at > hours[-1].at - DAY]
    return min(median(deltas[-len(day) :]) / DAY, theil_sen(day))


def since_clean_up(hours: Sequence[Hour]) -> Sequence[Hour]:
    """The hours after the last clean-up.

    A night job's end is a fall too, but only back to the previous level; a clean-up goes below the
    minimum of the whole day before it.
    """
    for index in range(len(hours) - 1, 0, -1):
        before = hours[max(0, index - 24) : index]
        day = [each.low for each in before if each.at >= hours[index].at - DAY]
        if day and min(day) - hours[index].low > _clear_fall(min(day)):
            return hours[index:]
    return hours


def _clear_fall(used: float) -> float:
    return max(10 * _NOISE * used, 1e6)


def daily_deltas(hours: Sequence[Hour]) -> list[float]:
    """For each hour with a counterpart a day before: how much more is used."""
    by_start = {each.at: each.low for each in hours}
    return [each.low - by_start[each.at - DAY] for each in hours if (each.at - DAY) in by_start]


def _thinned(hours: Sequence[Hour]) -> Sequence[Hour]:
    step = -(-len(hours) // _MOST_POINTS)
    return hours[::step] if step > 1 else hours


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """The median slope over every pair of points; 0 for fewer than two."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] > earlier[0]
    ]
    return median(slopes) if slopes else 0.0
