"""Loads a working calendar from YAML: dated hours, holidays, and an office's changes to them.

Whatever ``load`` returns is complete: every day has a rule, hours do not overlap, and only existing
holidays are withdrawn. The same content always has the same ``hash``. No network is used. The
arithmetic is in ``incidents.calendar.working_time``. Source: Perpres 21/2023, and the decrees named
in each calendar file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, time
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from files.problems import InvalidFileError, Problem, Problems
from files.strict_yaml import Entry, read
from incidents.calendar.working_time import Calendar, Holiday, HoursRule, Line, Span
from incidents.ledger.canonical_json import content

__all__ = ["Calendar", "CalendarError", "Holiday", "HoursRule", "Line", "Span", "load", "parse"]

_SHIPPED = Path(__file__).parent.parent / "calendars"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_KINDS = ("public", "cuti_bersama", "local")

Week = tuple[tuple[Span, ...], ...]


class CalendarError(InvalidFileError):
    """A calendar file that cannot be used."""


def load(name_or_path: str | Path) -> Calendar:
    """The calendar shipped under that name (``kaltim``), or the one in that file.

    A file may say ``extends: kaltim`` and then only what differs: ``midday_break``, later
    ``rules``, holidays under ``add`` and ``remove``. Raises ``CalendarError`` with every
    problem at once.
    """
    return parse(_text_of(name_or_path), str(name_or_path))


def parse(text: str, source: str) -> Calendar:
    """A calendar from YAML 1.2 (or from ``Calendar.content``, which gives the same hash).

    Raises ``CalendarError`` with every problem at once.
    """
    problems = Problems()
    chain = _chain(read(text, source, problems), source, [])
    if problems.found:
        raise CalendarError(problems.found)
    calendar = _calendar(chain)
    if problems.found:
        raise CalendarError(problems.found)
    return calendar


def _text_of(name_or_path: str | Path) -> str:
    shipped = _SHIPPED / f"{name_or_path}.yaml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read ({error}); name a file, or the shipped calendar: kaltim"
        raise CalendarError([Problem(str(name_or_path), 0, "", message)]) from error


def _chain(top: Entry, source: str, seen: list[str]) -> list[Entry]:
    """The file and those it extends, the farthest first."""
    top.only(
        "extends name zone zone_label hours_per_day midday_break holidays published rules add "
        "remove".split()
    )
    if not top.has("extends"):
        return [top]
    parent = top.string("extends")
    if parent in seen or parent == source:
        top.wrong("a calendar cannot extend itself", "extends")
        return [top]
    try:
        inherited = read(_text_of(parent), parent, top.problems)
    except CalendarError as error:
        top.wrong(error.problems[0].message, "extends")
        return [top]
    return [*_chain(inherited, parent, [*seen, source]), top]


@dataclass
class _Holidays:
    """Holidays as each file of the chain adds and removes them."""

    days: dict[date, Holiday] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)

    def take(self, entry: Entry) -> None:
        """Apply ``published`` and ``holidays``, from here or from the shipped file named."""
        source = entry
        if isinstance(entry.value.get("holidays"), str):
            try:
                name = entry.string("holidays")
                source = read(_text_of(name), name, entry.problems)
                source.only(("published", "holidays"))
            except CalendarError as error:
                entry.wrong(error.problems[0].message, "holidays")
                return
        self.published |= set(source.integers("published"))
        for each in source.entries("holidays"):
            self._put(each, each.string("kind"))
        for each in entry.entries("add"):
            self._put(each, each.string("kind", "local"))
        for each in entry.entries("remove"):
            each.only(("day", "decree"))
            each.string("decree", "")
            day = each.day("day")
            if day is not None and self.days.pop(day, None) is None:
                each.wrong(f"{day} is not a holiday, so it cannot be removed", "day")

    def _put(self, entry: Entry, kind: str) -> None:
        entry.only(("day", "kind", "name", "decree", "estimated"))
        if kind not in _KINDS:
            entry.wrong(f"expected one of: {', '.join(_KINDS)}", "kind")
        name, decree = entry.text("name"), entry.string("decree", "")
        estimated, day = entry.boolean("estimated", False), entry.day("day")
        if day is None:
            return
        if day in self.days:
            entry.wrong(f"{day} is a holiday already", "day")
        self.days[day] = Holiday(day, name, kind, decree, estimated)


def _calendar(chain: list[Entry]) -> Calendar:
    holidays = _Holidays()
    for entry in chain:
        holidays.take(entry)
    own = chain[-1]
    breaks = _week(_last(chain, "midday_break"), "midday_break")
    rules = tuple(_rule(each, breaks) for entry in chain for each in entry.entries("rules"))
    _check_rules(own, rules)
    hours = _last(chain, "hours_per_day").number("hours_per_day")
    if not 0 < hours <= 24:
        own.wrong("a working day has more than 0 and at most 24 hours", "hours_per_day")
    name, label = own.string("name"), _last(chain, "zone_label").string("zone_label", "")
    zone_entry = _last(chain, "zone")
    body, digest = content(
        {
            "name": name,
            "zone": zone_entry.string("zone"),
            "zone_label": label or None,  # unused; part of the hash of older calendars
            "hours_per_day": hours,
            "rules": [each.value for entry in chain for each in entry.entries("rules")],
            "midday_break": _last(chain, "midday_break").value.get("midday_break") or {},
            "published": sorted(holidays.published),
            "holidays": [_row(holidays.days[day]) for day in sorted(holidays.days)],
        }
    )
    return Calendar(
        name=name,
        zone=_zone(zone_entry),
        day_seconds=hours * 3600,
        rules=rules,
        holidays=holidays.days,
        published=frozenset(holidays.published),
        content=body,
        hash=digest,
    )


def _last(chain: list[Entry], key: str) -> Entry:
    """The nearest file of the chain that sets ``key``."""
    return next((entry for entry in reversed(chain) if entry.has(key)), chain[-1])


def _row(holiday: Holiday) -> dict[str, Any]:
    row: dict[str, Any] = {
        "day": holiday.day.isoformat(),
        "kind": holiday.kind,
        "name": holiday.name.recorded,
    }
    if holiday.decree:
        row["decree"] = holiday.decree
    if holiday.estimated:
        row["estimated"] = True
    return row


def _zone(entry: Entry) -> ZoneInfo:
    name = entry.string("zone")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a directory, or no key at all
        entry.wrong(f"{name!r} is not a time zone; write it like Asia/Makassar", "zone")
        return ZoneInfo("UTC")


def _check_rules(own: Entry, rules: tuple[HoursRule, ...]) -> None:
    if all(rule.first is not None or rule.last is not None for rule in rules):
        own.wrong("one rule must have neither from nor to, so that every day has hours", "rules")
    firsts = [rule.first for rule in rules]
    for first in sorted({str(first) for first in firsts if firsts.count(first) > 1}):
        own.wrong(f"two rules begin on the same day ({first})", "rules")


def _rule(entry: Entry, midday_break: Week) -> HoursRule:
    entry.only(("name", "decree", "from", "to", "hours", "breaks"))
    first, last = entry.day("from", optional=True), entry.day("to", optional=True)
    if first is not None and last is not None and last < first:
        entry.wrong("ends before it begins", "to")
    hours = _week(entry, "hours")
    if not any(hours):
        entry.wrong("a week has at least one working hour", "hours")
    breaks = _week(entry, "breaks") if entry.has("breaks") else midday_break
    return HoursRule(
        name=entry.text("name"),
        decree=entry.string("decree", ""),
        first=first,
        last=last,
        week=tuple(_without(*pair) for pair in zip(hours, breaks, strict=True)),
    )


def _week(entry: Entry, key: str) -> Week:
    """``{mon-thu: 07:30-16:00, fri: "07:30-11:00, 13:00-16:30"}`` as seven days."""
    days: list[tuple[Span, ...]] = [()] * 7
    if not entry.has(key):
        return tuple(days)
    block = entry.entry(key)
    for name in block.value:
        first, _, last = str(name).partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            block.wrong(f"expected days like mon or mon-thu ({', '.join(_DAYS)})", str(name))
            continue
        spans = _spans(block, str(name))
        for day in range(_DAYS.index(first), _DAYS.index(last or first) + 1):
            if days[day]:
                block.wrong(f"{_DAYS[day]} is given twice", str(name))
            days[day] = spans
    return tuple(days)


def _spans(block: Entry, key: str) -> tuple[Span, ...]:
    spans: list[Span] = []
    for part in block.string(key).split(","):
        match = _SPAN.fullmatch(part.strip())
        numbers = [int(number) for number in match.groups()] if match else []
        if not _sensible(numbers):
            block.wrong("expected hours like 07:30-16:00", key)
            return ()
        start_hour, start_minute, end_hour, end_minute = numbers
        spans.append(Span(time(start_hour, start_minute), time(end_hour % 24, end_minute)))
    ends = [(span.start, _end(span)) for span in spans]
    if any(_minutes(a) >= b for a, b in ends):
        block.wrong("hours must end after they begin", key)
    if any(_minutes(after[0]) < before[1] for before, after in pairwise(ends)):
        block.wrong("hours must follow one another without overlap", key)
    return tuple(spans)


def _sensible(numbers: list[int]) -> bool:
    """Whether these are hour, minute, hour, minute; only the end may be 24:00."""
    if len(numbers) != 4 or max(numbers[1], numbers[3]) > 59:
        return False
    return numbers[0] < 24 and numbers[2] * 60 + numbers[3] <= 24 * 60


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _end(span: Span) -> int:
    return _minutes(span.end) or 24 * 60


def _without(hours: tuple[Span, ...], breaks: tuple[Span, ...]) -> tuple[Span, ...]:
    """The hours with the breaks taken out."""
    edges = [(_minutes(span.start), _end(span)) for span in hours]
    for pause in breaks:
        start, end = _minutes(pause.start), _end(pause)
        parts = [((a, min(b, start)), (max(a, end), b)) for a, b in edges]
        edges = [(a, b) for both in parts for a, b in both if a < b]
    return tuple(Span(_time(a), _time(b)) for a, b in edges)


def _time(minutes: int) -> time:
    return time(minutes // 60 % 24, minutes % 60)
