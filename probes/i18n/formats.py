"""Formats numbers, dates, times of day and durations in each language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from itertools import islice

from probes.i18n.catalogues import languages
from probes.i18n.text import Text

DAY, HOUR = Text("d"), Text("h")
MINUTE, SECOND = Text("min"), Text("s")
"""Units of durations, in findings, clock lines, pages and documents alike."""
_SIZES = {DAY: 86400, HOUR: 3600, MINUTE: 60, SECOND: 1}

WEEKDAYS = (
    Text("Monday"),
    Text("Tuesday"),
    Text("Wednesday"),
    Text("Thursday"),
    Text("Friday"),
    Text("Saturday"),
    Text("Sunday"),
)
MONTHS = (
    Text("January"),
    Text("February"),
    Text("March"),
    Text("April"),
    Text("May"),
    Text("June"),
    Text("July"),
    Text("August"),
    Text("September"),
    Text("October"),
    Text("November"),
    Text("December"),
)
SHORT_MONTHS = (
    Text("Jan"),
    Text("Feb"),
    Text("Mar"),
    Text("Apr"),
    Text("May"),
    Text("Jun"),
    Text("Jul"),
    Text("Aug"),
    Text("Sep"),
    Text("Oct"),
    Text("Nov"),
    Text("Dec"),
)
_THOUSANDS, _DECIMAL = Text(",", context="between thousands"), Text(".", context="decimal mark")


def number(value: float, decimals: int, zeros: bool = False) -> Text:
    """1,234.5 (1.234,5); so many decimals, without zeros at the end unless ``zeros``."""
    english = f"{value:,.{decimals}f}"
    if "." in english and not zeros:
        english = english.rstrip("0").rstrip(".")
    return Text.written({each: english.translate(_marks(each)) for each in languages()})


def on_day(day: date) -> Text:
    """2 July 2026 (2 Juli 2026)."""
    return Text("{day} {month} {year}", day=day.day, month=MONTHS[day.month - 1], year=day.year)


def on_weekday(day: date) -> Text:
    """Thursday, 2 July 2026 (Kamis, 2 Juli 2026)."""
    return Text("{weekday}, {day}", weekday=WEEKDAYS[day.weekday()], day=on_day(day))


def clock(at: datetime, with_seconds: bool = False) -> Text:
    """14:05 (14.05); with seconds 14:05:07 (14.05.07)."""
    hour, minute, second = f"{at:%H}", f"{at:%M}", f"{at:%S}"
    if with_seconds:
        return Text("{hour}:{minute}:{second}", hour=hour, minute=minute, second=second)
    return Text("{hour}:{minute}", hour=hour, minute=minute)


def instant(at: datetime) -> str:
    """2026-11-23T06:05:07Z: as machines and evidence write it, the same in every language."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc_minute(at: datetime) -> str:
    """2026-11-23 06:05 UTC: where the reader's zone is not known."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> Text:
    """0.25 s, 45 s, 6 min 52 s, 3 h 5 min, 2 d 4 h: never more than two parts."""
    if abs(seconds) < 10:
        return counted(seconds, SECOND, 2)
    whole = Text.joined(" ", in_units(round(abs(seconds)))[:2])
    return Text.joined("", ("-", whole)) if seconds < 0 else whole


def exactly(seconds: float) -> Text:
    """5 h 12 min 22 s (5 jam 12 menit 22 detik): whole seconds, rounded down; no part of 0."""
    return Text.joined(" ", in_units(int(seconds), HOUR) or [counted(0, MINUTE)])


def in_units(seconds: int, largest: Text = DAY) -> list[Text]:
    """A duration as numbers of days, hours, minutes and seconds, without those that are 0."""
    parts, left = [], seconds
    for name, size in islice(_SIZES.items(), list(_SIZES).index(largest), None):
        count, left = divmod(left, size)
        if count:
            parts.append(counted(count, name))
    return parts


def counted(value: float, unit: Text | str, decimals: int = 0) -> Text:
    """A number and its unit: 5 min (5 menit)."""
    return Text("{n} {u}", n=number(value, decimals), u=unit)


def listed(texts: Iterable[Text]) -> Text:
    """Several things in one sentence: "a; b; c"."""
    return Text.joined("; ", texts)


@cache
def _marks(language: str) -> Mapping[int, str]:
    return str.maketrans({",": _THOUSANDS.said_in(language), ".": _DECIMAL.said_in(language)})
