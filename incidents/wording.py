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


HOUR, MINUTE, SECOND = Text("jam", "h"), Text("menit", "min"), Text("detik", "s")
"""How durations are written, in findings too."""


def on_day(day: date) -> Text:
    """ "2 Juli 2026" / "2 July 2026"."""
    month = _MONTHS[day.month - 1]
    return Text(f"{day.day} {month[0]} {day.year}", f"{day.day} {month[1]} {day.year}")


def on_weekday(day: date) -> Text:
    """ "Kamis, 2 Juli 2026" / "Thursday, 2 July 2026"."""
    name = _DAYS[day.weekday()]
    return Text(f"{name[0]}, {on_day(day).id}", f"{name[1]}, {on_day(day).en}")


def exactly(seconds: float) -> Text:
    """ "5 jam 12 menit 22 detik" / "5 h 12 min 22 s": whole seconds, rounded down; no part of 0."""
    left = int(seconds)
    parts: list[Text] = []
    for size, name in ((3600, HOUR), (60, MINUTE), (1, SECOND)):
        count, left = divmod(left, size)
        if count:
            parts.append(Text(f"{count} {name.id}", f"{count} {name.en}"))
    shown = parts or [Text(f"0 {MINUTE.id}", f"0 {MINUTE.en}")]
    return Text(" ".join(part.id for part in shown), " ".join(part.en for part in shown))


def listed(texts: list[Text]) -> Text:
    """Several things in one sentence: "a; b; c"."""
    return Text("; ".join(text.id for text in texts), "; ".join(text.en for text in texts))
