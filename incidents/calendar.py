"""Working time: which moments count, and why.

Promises: intervals are half-open, measured in elapsed time; ``add`` then ``between`` gives
back what was added; every figure can be explained line by line. Hours and holidays are data
(``calendars/*.yaml``); nothing is asked of the network. Source: READING 2.5, 4.1, 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from probes import Text


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a day, local wall time, half-open. ``end`` 00:00 means the end of the day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Rule:
    """The hours of the week over a period; the rule that began last is in force."""

    name: Text
    decree: str
    first: date | None  # inclusive; None: since ever
    last: date | None  # inclusive; None: until further notice
    week: tuple[tuple[Span, ...], ...]  # seven days, Monday first; breaks already taken out


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day nobody works."""

    day: date
    name: Text
    kind: str  # public | cuti_bersama | local
    decree: str
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One day of an explained interval."""

    day: date
    spans: tuple[tuple[datetime, datetime], ...]  # counted, aware, in the calendar's zone
    seconds: float
    why: Text  # the rule in force, or what closed the day
    decree: str
    closed: bool
    provisional: bool  # the year's calendar is not published, or the holiday is an estimate

    def text(self) -> Text:
        """The line as it is printed: "Kamis, 2 Juli 2026: 07.30-16.00 = 8 j 30 m"."""
        raise NotImplementedError


class CalendarError(Exception):
    """A calendar file that cannot be used; ``problems`` lists every reason."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source = source
        self.problems = problems


@dataclass(frozen=True)
class Calendar:
    """A working calendar. ``content`` is its canonical JSON, ``hash`` the SHA-256 of that."""

    name: str
    zone: ZoneInfo
    zone_label: str  # WITA
    day_seconds: float  # one "hari kerja" in working seconds (27000: 7.5 h)
    rules: tuple[Rule, ...]
    holidays: Mapping[date, Holiday]
    published: frozenset[int]  # years whose holidays are decreed
    content: str
    hash: str

    def is_working(self, at: datetime) -> bool:
        """Whether ``at`` lies in working time; the closing moment does not."""
        raise NotImplementedError

    def next_opening(self, at: datetime) -> datetime:
        """``at`` itself in working time, else the next opening."""
        raise NotImplementedError

    def add(self, start: datetime, working_seconds: float) -> datetime:
        """The earliest moment by which that much working time has passed since ``start``
        (for 0: ``start`` itself), so a limit that ends with the day ends at closing."""
        raise NotImplementedError

    def between(self, start: datetime, end: datetime) -> float:
        """Working seconds in [start, end); negative when ``end`` lies before ``start``."""
        raise NotImplementedError

    def explain(self, start: datetime, end: datetime) -> tuple[Line, ...]:
        """``between``, day by day; closed days are named with what closed them."""
        raise NotImplementedError

    def provisional(self, start: datetime, end: datetime) -> bool:
        """Whether any day from ``start`` to ``end`` rests on an unpublished calendar."""
        raise NotImplementedError

    def end_of_working_day(self, start: datetime, days: int) -> datetime:
        """Closing of the ``days``-th working day after the (local) day of ``start``."""
        raise NotImplementedError

    def local(self, at: datetime) -> datetime:
        """``at`` in the calendar's zone."""
        return at.astimezone(self.zone)


def load(name_or_path: str | Path) -> Calendar:
    """The calendar shipped under that name (``kaltim``), or the one in that file.

    A file may say ``extends: kaltim`` and then only what differs: ``midday_break``, holidays
    under ``add`` and ``remove``. Raises ``CalendarError`` with every problem at once.
    """
    raise NotImplementedError


def parse(text: str, source: str) -> Calendar:
    """A calendar from YAML 1.2 (or from ``Calendar.content``, which gives the same hash)."""
    raise NotImplementedError
