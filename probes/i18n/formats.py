"""Writes numbers, dates, times of day and durations in the manner of each language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache

from probes.i18n.catalogues import languages
from probes.i18n.text import Text

DAY, HOUR = Text("d"), Text("h")
MINUTE, SECOND = Text("min"), Text("s")
"""Units of durations, in findings, clock lines, pages and documents alike."""

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


def number(value: float, decimals: int) -> Text:
    """1,234.5 (1.234,5); at most so many decimals, without zeros at the end."""
    english = f"{value:,.{decimals}f}"
    if "." in english:
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


def exactly(seconds: float) -> Text:
    """5 h 12 min 22 s (5 jam 12 menit 22 detik): whole seconds, rounded down; no part of 0."""
    left = int(seconds)
    parts: list[Text] = []
    for size, name in ((3600, HOUR), (60, MINUTE), (1, SECOND)):
        count, left = divmod(left, size)
        if count:
            parts.append(Text("{count} {name}", count=count, name=name))
    return Text.joined(" ", parts or [Text("{count} {name}", count=0, name=MINUTE)])


def listed(texts: Iterable[Text]) -> Text:
    """Several things in one sentence: "a; b; c"."""
    return Text.joined("; ", texts)


@cache
def _marks(language: str) -> Mapping[int, str]:
    return str.maketrans({",": _THOUSANDS.said_in(language), ".": _DECIMAL.said_in(language)})
