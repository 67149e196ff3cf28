"""Formats rows of a system view as a table of evidence, with remarks below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from probes.i18n.formats import instant
from probes.i18n.headings import headings
from probes.model import NOTHING_SAID, Exhibit, Row, Text, Words

OUR_CLOCK = "now"
"""A column that a query reads to compute ages; not shown in the table."""


NONE = Text("none")
YES = Text("yes")
NO = Text("no")
FIRST_OF_ALL = Text("the first {shown} of {all}")
LARGEST_OF_ALL = Text("the {shown} largest of {all}")
OLDEST_OF_ALL = Text("the oldest {shown} of {all}")
OLDEST = Text("the oldest {shown}")
ROLLED_BACK = Text("rolled back")
AT_SERVER_TIME = Text("at {at}, server time")
TRUNCATED = Text("truncated to {shown} of {all} waiters")


def exhibit(title: Text, rows: Sequence[Row], columns: tuple[str, ...] = ()) -> Exhibit:
    """``rows`` as a table with all columns or those named; an empty table says so."""
    every = tuple(name for name in rows[0] if name != OUR_CLOCK) if rows else ()
    shown = columns or every
    cells = tuple(tuple(cell(row[column]) for column in shown) for row in rows)
    return Exhibit(title, headings(*shown), cells, note="" if rows else NONE)


def remarks(*said: Words, between: str = "; ") -> Words:
    """The notes under a table, joined; empty ones are left out."""
    every = [each for each in said if each not in ("", NOTHING_SAID)]
    if any(isinstance(each, Text) for each in every):
        return Text.joined(between, every)
    return between.join(map(str, every))


def cell(value: object) -> Words:
    """One value as every table writes it: an instant in UTC to the second, at most three decimals,
    yes and no, and "-" for unknown. A ``Text`` stays one.
    """
    if value is None:
        return "-"
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, float):
        short = f"{round(value, 3) + 0.0:.3f}"  # + 0.0: no minus in front of nothing
        return short.rstrip("0").rstrip(".") if "." in short else short  # inf, nan: as they are
    return str(value)


def _instant(at: datetime) -> str:
    if at.tzinfo is None:  # its zone is not known
        return at.isoformat(timespec="seconds")
    return instant(at)
