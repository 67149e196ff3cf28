"""Rows of a system view as a table of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from probes.model import Exhibit, Row, Text


def exhibit(title: Text, rows: Sequence[Row], columns: tuple[str, ...] = ()) -> Exhibit:
    """``rows`` as they are, of all columns or of those named; an empty table says so."""
    shown = columns or (tuple(rows[0]) if rows else ())
    cells = tuple(
        tuple("-" if row[column] is None else str(row[column]) for column in shown) for row in rows
    )
    return Exhibit(title, shown, cells, note="" if rows else "none")
