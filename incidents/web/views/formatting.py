"""Formats instants, durations and numbers for a page.

A ``Sayer`` belongs to one page: one language, one zone, one ``now``. It reads no clock.
Indonesian writes 14.05 WITA and 1.234,5; English writes 14:05 WITA and 1,234.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from incidents.wording import HOUR, MINUTE, SECOND
from probes import is_moment

_DAYS = {
    "id": ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    "id": "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November "
    "Desember".split(),
    "en": "January February March April May June July August September October November "
    "December".split(),
}
_SHORT_MONTHS = {
    "id": "Jan Feb Mar Apr Mei Jun Jul Agu Sep Okt Nov Des".split(),
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
}
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")  # powers of 1,000, as in titles


@dataclass(frozen=True, slots=True)
class Sayer:
    """Formats instants and figures in one language, relative to one instant in one zone."""

    language: str  # id | en
    zone: tzinfo
    now: datetime  # aware, UTC

    def zone_name(self, at: datetime) -> str:
        """What the zone calls itself at that time: WITA, CEST."""
        return at.astimezone(self.zone).strftime("%Z")

    def clock(self, at: datetime) -> str:
        """14.05 WITA (id), 14:05 WITA (en)."""
        local = at.astimezone(self.zone)
        return f"{local:%H}{self._colon}{local:%M} {self.zone_name(at)}"

    def time(self, at: datetime) -> str:
        """The clock alone for today, with the date in front for any other day."""
        if at.astimezone(self.zone).date() == self.now.astimezone(self.zone).date():
            return self.clock(at)
        return f"{self.short_date(at)} {self.clock(at)}"

    def stamp(self, at: datetime) -> str:
        """23 Nov 2026 14.05 WITA: for paper, which must say the same on every day it is read."""
        local = at.astimezone(self.zone)
        month = _SHORT_MONTHS[self._l][local.month - 1]
        return f"{local.day} {month} {local.year} {self.clock(at)}"

    def short_date(self, at: datetime) -> str:
        """23 Nov, with the year when it is not the present one."""
        local = at.astimezone(self.zone)
        year = "" if local.year == self.now.astimezone(self.zone).year else f" {local.year}"
        return f"{local.day} {_SHORT_MONTHS[self._l][local.month - 1]}{year}"

    def long_date(self, at: datetime) -> str:
        """23 November 2026."""
        return self.calendar_day(at.astimezone(self.zone).date())

    def calendar_day(self, day: date) -> str:
        """23 November 2026, for a day that is no instant."""
        return f"{day.day} {_MONTHS[self._l][day.month - 1]} {day.year}"

    def day(self, at: datetime) -> str:
        """Senin, 23 November 2026."""
        local = at.astimezone(self.zone)
        return f"{_DAYS[self._l][local.weekday()]}, {self.long_date(at)}"

    def moment(self, at: datetime) -> str:
        """Senin, 23 November 2026 14.05.07 WITA: for hovering and for documents."""
        local = at.astimezone(self.zone)
        clock = self._colon.join((f"{local:%H}", f"{local:%M}", f"{local:%S}"))
        return f"{self.day(at)} {clock} {self.zone_name(at)}"

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
            near = "baru saja" if seconds <= 0 else "sebentar lagi"
            near_en = "just now" if seconds <= 0 else "in a moment"
            return near_en if self._l == "en" else near
        amount = self._rough(size)
        if self._l == "en":
            return f"in {amount}" if seconds > 0 else f"{amount} ago"
        return f"{amount} lagi" if seconds > 0 else f"{amount} lalu"

    def span(self, seconds: float) -> str:
        """2 jam 15 menit (id), 2 h 15 min (en); seconds only below a minute."""
        sign = "−" if seconds < 0 else ""
        total = round(abs(seconds))
        hour, minute, second = (name.said_in(self._l) for name in (HOUR, MINUTE, SECOND))
        if total < 60:
            return f"{sign}{total} {second}"
        minutes = total // 60
        hours, rest = divmod(minutes, 60)
        parts = [f"{self.number(hours)} {hour}"] if hours else []
        if rest or not hours:
            parts.append(f"{rest} {minute}")
        return sign + " ".join(parts)

    def number(self, value: float, digits: int = 1) -> str:
        """1.234,5 (id), 1,234.5 (en); no digits after the comma when they are zero."""
        text = f"{value:,.{digits}f}" if value != int(value) else f"{int(value):,}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if self._l == "en":
            return text
        return text.translate(str.maketrans(",.", ".,"))

    def measured(self, measure: str, value: float, unit: str) -> str:
        """``quantity``, but a measure that tells an instant (Unix time) is written as one."""
        if is_moment(measure, unit):
            return self.time(datetime.fromtimestamp(value, UTC))
        return self.quantity(value, unit)

    def quantity(self, value: float, unit: str) -> str:
        """A measured value with its unit: 1,5 GB, 12 %, 40,2 detik."""
        if unit == "bytes":
            return self._bytes(value)
        if unit == "ratio":
            return f"{self.number(value * 100)} %"
        if unit == "seconds":
            if abs(value) >= 120:
                return self.span(value)
            digits = 3 if abs(value) < 1 else 1
            return f"{self.number(value, digits)} {SECOND.said_in(self._l)}"
        return self.number(value, 3)

    @property
    def _l(self) -> str:
        return "en" if self.language == "en" else "id"

    @property
    def _colon(self) -> str:
        return ":" if self._l == "en" else "."

    def _bytes(self, value: float) -> str:
        size = float(value)
        for unit in _BYTES[:-1]:
            if abs(size) < 1000:
                return f"{self.number(size)} {unit}"
            size /= 1000
        return f"{self.number(size)} {_BYTES[-1]}"

    def _rough(self, seconds: float) -> str:
        minutes = max(1, round(seconds / 60))
        if minutes < 60:
            return self._counted(minutes, "menit", "minute")
        hours = seconds / 3600
        if hours < 6:
            return self.span(minutes * 60)
        if hours < 36:
            return self._counted(round(hours), "jam", "hour")
        return self._counted(round(hours / 24), "hari", "day")

    def _counted(self, count: int, indonesian: str, english: str) -> str:
        if self._l == "en":
            return f"{count} {english}{'' if count == 1 else 's'}"
        return f"{self.number(count)} {indonesian}"
