"""Formats instants, durations and numbers for a page.

A ``Sayer`` belongs to one page: one language, one zone, one ``now``. It reads no clock.
Indonesian writes 14.05 WITA and 1.234,5; English writes 14:05 WITA and 1,234.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from probes import Text, is_moment
from probes.i18n.formats import (
    HOUR,
    SECOND,
    SHORT_MONTHS,
    clock,
    counted,
    in_units,
    number,
    on_day,
    on_weekday,
)
from probes.words.units import written


@dataclass(frozen=True, slots=True)
class Sayer:
    """Formats instants and figures in one language, relative to one instant in one zone."""

    language: str  # id | en | another there is a catalogue for
    zone: tzinfo
    now: datetime  # aware, UTC

    def zone_name(self, at: datetime) -> str:
        """What the zone calls itself at that time: WITA, CEST."""
        return at.astimezone(self.zone).strftime("%Z")

    def clock(self, at: datetime) -> str:
        """14.05 WITA (id), 14:05 WITA (en)."""
        return f"{self._said(clock(at.astimezone(self.zone)))} {self.zone_name(at)}"

    def time(self, at: datetime) -> str:
        """The clock alone for today, with the date in front for any other day."""
        if at.astimezone(self.zone).date() == self.now.astimezone(self.zone).date():
            return self.clock(at)
        return f"{self.short_date(at)} {self.clock(at)}"

    def stamp(self, at: datetime) -> str:
        """23 Nov 2026 14.05 WITA: for paper, which must say the same on every day it is read."""
        local = at.astimezone(self.zone)
        month = self._said(SHORT_MONTHS[local.month - 1])
        return f"{local.day} {month} {local.year} {self.clock(at)}"

    def short_date(self, at: datetime) -> str:
        """23 Nov, with the year when it is not the present one."""
        local = at.astimezone(self.zone)
        year = "" if local.year == self.now.astimezone(self.zone).year else f" {local.year}"
        return f"{local.day} {self._said(SHORT_MONTHS[local.month - 1])}{year}"

    def long_date(self, at: datetime) -> str:
        """23 November 2026."""
        return self.calendar_day(at.astimezone(self.zone).date())

    def calendar_day(self, day: date) -> str:
        """23 November 2026, for a day that is no instant."""
        return self._said(on_day(day))

    def day(self, at: datetime) -> str:
        """Senin, 23 November 2026."""
        return self._said(on_weekday(at.astimezone(self.zone).date()))

    def moment(self, at: datetime) -> str:
        """Senin, 23 November 2026 14.05.07 WITA: for hovering and for documents."""
        time = self._said(clock(at.astimezone(self.zone), with_seconds=True))
        return f"{self.day(at)} {time} {self.zone_name(at)}"

    def at(self, text: str) -> datetime:
        """The instant of a document's ISO 8601 text; without an offset it is meant in this zone."""
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def written(self, text: str) -> str:
        """An ISO 8601 instant as ``time`` says it; text that is none stays as it is."""
        try:
            return self.time(self.at(text))
        except ValueError:
            return text

    def relative(self, at: datetime) -> str:
        """12 menit lagi, 3 jam lalu; from now to ``at`` in wall-clock time."""
        seconds = (at - self.now).total_seconds()
        size = abs(seconds)
        if size < 45:
            return self._said(Text("just now") if seconds <= 0 else Text("in a moment"))
        amount = self._rough(size)
        return self._said(
            Text("in {time}", time=amount) if seconds > 0 else Text("{time} ago", time=amount)
        )

    def span(self, seconds: float) -> str:
        """2 jam 15 menit (id), 2 h 15 min (en); seconds only below a minute."""
        total = round(abs(seconds))
        if total < 60:
            said = counted(total, SECOND)
        else:  # whole minutes, so that no seconds are left
            said = Text.joined(" ", in_units(total - total % 60, HOUR))
        return ("−" if seconds < 0 else "") + self._said(said)

    def number(self, value: float, digits: int = 1) -> str:
        """1.234,5 (id), 1,234.5 (en); no digits after the comma when they are zero."""
        return self._said(number(value, digits))

    def measured(self, measure: str, value: float, unit: str) -> str:
        """``quantity``, but a measure that tells an instant (Unix time) is written as one."""
        if is_moment(measure, unit):
            return self.time(datetime.fromtimestamp(value, UTC))
        return self.quantity(value, unit)

    def quantity(self, value: float, unit: str) -> str:
        """A measured value with its unit: 1,5 GB, 12 %, 40,2 detik."""
        if unit in ("bytes", "ratio"):
            return self._said(written(value, unit))
        if unit == "seconds":
            if abs(value) >= 120:
                return self.span(value)
            return self._said(counted(value, SECOND, 3 if abs(value) < 1 else 1))
        return self.number(value, 3)

    def _said(self, text: Text) -> str:
        return text.said_in(self.language)

    def _rough(self, seconds: float) -> str:
        minutes = max(1, round(seconds / 60))
        if minutes < 60:
            return self._said(Text("{n} {n:minute|minutes}", n=minutes))
        hours = seconds / 3600
        if hours < 6:
            return self.span(minutes * 60)
        if hours < 36:
            return self._said(Text("{n} {n:hour|hours}", n=round(hours)))
        return self._said(Text("{n} {n:day|days}", n=number(round(hours / 24), 0)))
