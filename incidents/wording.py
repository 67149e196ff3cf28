"""Dates and durations in the sentences people read, in both languages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from probes import Text

_DAYS = (
    Text("Monday"),
    Text("Tuesday"),
    Text("Wednesday"),
    Text("Thursday"),
    Text("Friday"),
    Text("Saturday"),
    Text("Sunday"),
)
_MONTHS = (
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


HOUR, MINUTE, SECOND = Text("h"), Text("min"), Text("s")
"""How durations are written, in findings too."""


def on_day(day: date) -> Text:
    """ "2 Juli 2026" / "2 July 2026"."""
    return Text("{day} {month} {year}", day=day.day, month=_MONTHS[day.month - 1], year=day.year)


def on_weekday(day: date) -> Text:
    """ "Kamis, 2 Juli 2026" / "Thursday, 2 July 2026"."""
    return Text("{weekday}, {day}", weekday=_DAYS[day.weekday()], day=on_day(day))


def clock(at: datetime, with_seconds: bool = False) -> Text:
    """ "14.05" / "14:05"; with seconds "14.05.07" / "14:05:07"."""
    hour, minute, second = f"{at:%H}", f"{at:%M}", f"{at:%S}"
    if with_seconds:
        return Text("{hour}:{minute}:{second}", hour=hour, minute=minute, second=second)
    return Text("{hour}:{minute}", hour=hour, minute=minute)


def exactly(seconds: float) -> Text:
    """ "5 jam 12 menit 22 detik" / "5 h 12 min 22 s": whole seconds, rounded down; no part of 0."""
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
