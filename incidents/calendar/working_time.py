"""Working-time arithmetic with an explanation of each result; loading is in ``calendar.load``.

Intervals are half-open and measured in elapsed time. ``between`` returns what ``add`` added, and
every figure can be explained line by line. Source: SOP section E (standards in working days).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from probes import Text
from probes.i18n.formats import clock, exactly, on_weekday

Interval = tuple[datetime, datetime]
_ONE_DAY = timedelta(days=1)
_NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a day, local wall time, half-open. ``end`` 00:00 means the end of the day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class HoursRule:
    """Weekly working hours over a period; of several rules the one that began last applies."""

    name: Text
    decree: str
    first: date | None  # inclusive; None: since ever
    last: date | None  # inclusive; None: until further notice
    week: tuple[tuple[Span, ...], ...]  # seven days, Monday first; breaks already taken out

    def covers(self, day: date) -> bool:
        """Whether the rule applies to that day."""
        begun = self.first is None or self.first <= day
        return begun and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day without working time."""

    day: date
    name: Text
    kind: str  # public | cuti_bersama | local
    decree: str
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One day of an explained interval."""

    day: date
    spans: tuple[Interval, ...]  # counted, aware, in the calendar's zone
    seconds: float
    why: Text  # the rule in force, or what closed the day
    decree: str
    closed: bool
    provisional: bool  # the year's calendar is not published, or the holiday is an estimate

    def text(self) -> Text:
        """The line as it is printed: "Kamis, 2 Juli 2026: 07.30-16.00 = 8 jam 30 menit"."""
        if self.spans:
            # From the instants as they are printed, to the second, so that the lines of an
            # explanation add up to its total.
            spans = [(a.replace(microsecond=0), b.replace(microsecond=0)) for a, b in self.spans]
            told = exactly(sum((b - a).total_seconds() for a, b in spans))
            with_seconds = any(each.second for span in spans for each in span)
            what = Text.joined(" = ", [self._clock(with_seconds), told])
        elif self.closed:
            basis = f" ({self.decree})" if self.decree else ""
            what = Text.joined("", [self.why, basis])
        else:
            what = Text("outside working hours = {none}", none=exactly(0))
        day = on_weekday(self.day)
        mark = Text(" (provisional)") if self.provisional else Text("")
        return Text.joined("", [day, ": ", what, mark])

    def _clock(self, with_seconds: bool) -> Text:
        spans = [[clock(at, with_seconds) for at in span] for span in self.spans]
        return Text.joined(", ", [Text.joined("-", span) for span in spans])


@dataclass(frozen=True)
class Calendar:
    """A working calendar. ``content`` is its canonical JSON, ``hash`` the SHA-256 of that.

    Instants must be aware; a naive one raises ``ValueError``. Results are UTC.
    """

    name: str
    zone: ZoneInfo
    day_seconds: float  # one "hari kerja" in working seconds (27000: 7.5 h)
    rules: tuple[HoursRule, ...]  # at least one without a first day, so that every day has hours
    holidays: Mapping[date, Holiday]
    published: frozenset[int]  # years whose holidays are decreed
    content: str
    hash: str
    _days: dict[date, tuple[Interval, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def next_opening(self, at: datetime) -> datetime:
        """``at`` itself in working time, else the next opening."""
        at = _utc(at)
        return next(max(a, at) for a, b in self._from(at) if b > at)

    def add(self, start: datetime, working_seconds: float) -> datetime:
        """The earliest moment by which that much working time has passed since ``start``
        (for 0: ``start`` itself), so a limit that ends with the day ends at closing."""
        start, left = _utc(start), timedelta(seconds=working_seconds)
        if left < _NOTHING:
            raise ValueError("working time is added forwards only")
        if left == _NOTHING:
            return start
        for a, b in self._from(start):
            open_for = b - max(a, start)
            if open_for >= left:
                return max(a, start) + left
            left -= max(open_for, _NOTHING)
        raise AssertionError("a calendar never ends")

    def between(self, start: datetime, end: datetime) -> float:
        """Working seconds in [start, end); negative when ``end`` is before ``start``."""
        start, end = _utc(start), _utc(end)
        if end < start:
            return -self.between(end, start)
        total = _NOTHING
        for a, b in self._from(start):
            if a >= end:
                break
            total += max(min(b, end) - max(a, start), _NOTHING)
        return total.total_seconds()

    def explain(self, start: datetime, end: datetime) -> tuple[Line, ...]:
        """``between``, day by day; closed days are listed with their reason."""
        start, end = _utc(start), _utc(end)
        if end < start:
            start, end = end, start
        day, last, lines = self._date(start), self._date(end), []
        while day <= last:
            lines.append(self._line(day, start, end))
            day += _ONE_DAY
        return tuple(lines)

    def provisional(self, start: datetime, end: datetime) -> bool:
        """Whether any day from ``start`` to ``end`` uses an unpublished calendar."""
        day, last = self._date(_utc(start)), self._date(_utc(end))
        while day <= last:
            if self._uncertain(day):
                return True
            day += _ONE_DAY
        return False

    def end_of_working_day(self, start: datetime, days: int) -> datetime:
        """Closing of the ``days``-th working day after the (local) day of ``start``; the day of
        ``start`` itself does not count.
        """
        if days < 1:
            raise ValueError("working days are counted from 1")
        day, closing = self._date(_utc(start)), _utc(start)
        while days:
            day += _ONE_DAY
            intervals = self._intervals(day)
            if intervals:
                days, closing = days - 1, intervals[-1][1]
        return closing

    def local(self, at: datetime) -> datetime:
        """``at`` in the calendar's zone."""
        return _utc(at).astimezone(self.zone)

    def rule(self, day: date) -> HoursRule:
        """The rule in force on that day."""
        return max(
            (rule for rule in self.rules if rule.covers(day)),
            key=lambda rule: rule.first or date.min,
        )

    def _date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _from(self, at: datetime) -> Iterator[Interval]:
        """Every interval from the day of ``at`` on, without end."""
        day = self._date(at)
        while True:
            yield from self._intervals(day)
            day += _ONE_DAY

    def _intervals(self, day: date) -> tuple[Interval, ...]:
        found = self._days.get(day)
        if found is None:
            spans = () if day in self.holidays else self.rule(day).week[day.weekday()]
            found = tuple((self._at(day, s.start), self._at(day, s.end, True)) for s in spans)
            self._days[day] = found
        return found

    def _at(self, day: date, clock: time, ending: bool = False) -> datetime:
        if ending and clock == time.min:
            day += _ONE_DAY
        return datetime.combine(day, clock, self.zone).astimezone(UTC)

    def _uncertain(self, day: date) -> bool:
        holiday = self.holidays.get(day)
        return day.year not in self.published or (holiday is not None and holiday.estimated)

    def _line(self, day: date, start: datetime, end: datetime) -> Line:
        intervals = self._intervals(day)
        counted = tuple(
            (max(a, start), min(b, end)) for a, b in intervals if max(a, start) < min(b, end)
        )
        rule, holiday = self.rule(day), self.holidays.get(day)
        why, decree = rule.name, rule.decree
        if holiday is not None:
            why, decree = holiday.name, holiday.decree
        elif not intervals:
            why, decree = Text("not a working day"), ""
        return Line(
            day=day,
            spans=tuple((a.astimezone(self.zone), b.astimezone(self.zone)) for a, b in counted),
            seconds=sum((b - a for a, b in counted), _NOTHING).total_seconds(),
            why=why,
            decree=decree,
            closed=not intervals,
            provisional=self._uncertain(day),
        )


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no zone")
    return at.astimezone(UTC)
