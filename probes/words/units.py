"""Formats values for people, with their unit, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

from probes.i18n.formats import counted, duration, instant, number
from probes.model import Text

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def is_moment(measure: str, unit: str) -> bool:
    """Whether a measure tells an instant (Unix time), by the ending that Prometheus asks for."""
    return unit == "seconds" and measure.endswith(("_time_seconds", "_timestamp_seconds"))


def written(value: float, unit: str) -> Text:
    """``value`` with its unit: 412 s, 1.2 GB (1,2 GB), 95 %; a bare number without one.

    Bytes are written in powers of 1,000, as df --si and the exporters' dashboards do.
    """
    if unit == "ratio":
        return counted(value * 100, "%", 1)
    if unit == "bytes":
        scaled, step = float(value), 0
        while abs(scaled) >= 1000 and step < len(_BYTES) - 1:
            scaled, step = scaled / 1000, step + 1
        return counted(scaled, _BYTES[step], 1 if step else 0)
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
        return Text.verbatim(instant(datetime.fromtimestamp(value, UTC)))
    return written(value, unit)
