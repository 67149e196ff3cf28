"""Dates and durations in the sentences people read, in both languages."""

from __future__ import annotations

from datetime import date

from probes import Text

_DAYS = (
    ("Senin", "Monday"),
    ("Selasa", "Tuesday"),
    ("Rabu", "Wednesday"),
    ("Kamis", "Thursday"),
    ("Jumat", "Friday"),
    ("Sabtu", "Saturday"),
    ("Minggu", "Sunday"),
)
_MONTHS = (
    ("Januari", "January"),
    ("Februari", "February"),
    ("Maret", "March"),
    ("April", "April"),
    ("Mei", "May"),
    ("Juni", "June"),
    ("Juli", "July"),
    ("Agustus", "August"),
    ("September", "September"),
    ("Oktober", "October"),
    ("November", "November"),
    ("Desember", "December"),
)


def on_day(day: date) -> Text:
    """ "2 Juli 2026" / "2 July 2026"."""
    month = _MONTHS[day.month - 1]
    return Text(f"{day.day} {month[0]} {day.year}", f"{day.day} {month[1]} {day.year}")


def on_weekday(day: date) -> Text:
    """ "Kamis, 2 Juli 2026" / "Thursday, 2 July 2026"."""
    name = _DAYS[day.weekday()]
    return Text(f"{name[0]}, {on_day(day).id}", f"{name[1]}, {on_day(day).en}")


def duration(seconds: float) -> Text:
    """ "8 j 30 m" / "8 h 30 m"; whole minutes, rounded down, and never a bare minus zero."""
    minutes = int(abs(seconds) // 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and (hours or minutes) else ""
    if not hours:
        return Text(f"{sign}{minutes} m", f"{sign}{minutes} m")
    if not minutes:
        return Text(f"{sign}{hours} j", f"{sign}{hours} h")
    return Text(f"{sign}{hours} j {minutes} m", f"{sign}{hours} h {minutes} m")


def exactly(seconds: float) -> Text:
    """ "5 j 12 m 22 d" / "5 h 12 m 22 s": as ``duration``, with the seconds where there are any."""
    rest = int(seconds % 60)
    if not rest:
        return duration(seconds)
    before = duration(seconds)
    if seconds < 60:
        return Text(f"{rest} d", f"{rest} s")
    return Text(f"{before.id} {rest} d", f"{before.en} {rest} s")


def listed(texts: list[Text]) -> Text:
    """Several things in one sentence: "a; b; c"."""
    return Text("; ".join(text.id for text in texts), "; ".join(text.en for text in texts))
