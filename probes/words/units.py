"""Formats values for people, with their unit, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

from probes.i18n.formats import DAY, HOUR, MINUTE, SECOND, number
from probes.model import Text, is_moment

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def written(value: float, unit: str) -> Text:
    """``value`` with its unit: 412 s, 1.2 GB (1,2 GB), 95 %; a bare number without one.

    Bytes are written in powers of 1,000, as df --si and the exporters' dashboards do.
    """
    if unit == "ratio":
        return Text("{n} %", n=number(value * 100, 1))
    if unit == "bytes":
        scaled, step = float(value), 0
        while abs(scaled) >= 1000 and step < len(_BYTES) - 1:
            scaled, step = scaled / 1000, step + 1
        return Text("{n} {u}", n=number(scaled, 1 if step else 0), u=_BYTES[step])
    if unit == "seconds":
        return duration(value)
    # three figures that count: 145.935 a minute is read as 146
    return number(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3)


def version_in_words(flavour: str, version: int) -> str:
    """150018 is PostgreSQL's 15.18; 101119 MariaDB's 10.11.19; "" for 0 (not known)."""
    if not version:
        return ""
    if flavour == "postgresql":  # two numbers since 10: server_version_num
        return f"{version // 10_000}.{version % 10_000}"
    return f"{version // 10_000}.{version // 100 % 100}.{version % 100}"


def measured(measure: str, value: float, unit: str) -> Text:
    """``written``, but an instant is written as one: 2026-11-23T06:05:07Z."""
    if is_moment(measure, unit):
        moment = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Text.verbatim(moment)
    return written(value, unit)


def duration(seconds: float) -> Text:
    """0.25 s, 45 s, 6 min 52 s, 3 h 5 min, 2 d 4 h: never more than two parts."""
    if abs(seconds) < 10:
        return Text("{n} {u}", n=number(seconds, 2), u=SECOND)
    left = round(abs(seconds))
    sign = "-" if seconds < 0 else ""
    parts: list[Text] = []
    for size, name in ((86400, DAY), (3600, HOUR), (60, MINUTE), (1, SECOND)):
        count, left = divmod(left, size)
        if count:
            parts.append(Text("{count} {name}", count=count, name=name))
    return Text("{sign}{parts}", sign=sign, parts=Text.joined(" ", parts[:2]))
