"""Evidence as lines of text, for ``sigap incidents show``."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.commands.words import table
from incidents.model import JSON
from probes import Text
from probes.i18n.headings import heading
from probes.words.finding_json import moment_of, words_of

WIDTH = 120
"""The longest line; a table that is wider is printed row by row, every column on its own line."""

_INDENT = "  "
_TAKEN = Text("Evidence taken {at}")
_EARLIER = Text("Earlier evidence, on the incident's page: {at}")


def evidence_lines(
    newest: JSON, earlier: Sequence[JSON], when: Callable[[datetime], str], language: str
) -> list[str]:
    """The newest evidence in whole; of earlier ones when they were taken."""

    def taken(evidence: JSON) -> str:
        return when(moment_of(evidence["taken_at"]))

    lines = [_TAKEN.format(at=taken(newest)).said_in(language)]
    for exhibit in newest["exhibits"]:
        lines += _exhibit(exhibit, language)
    if earlier:
        times = ", ".join(map(taken, earlier))
        lines += _wrapped(_EARLIER.format(at=times).said_in(language), "")
    return lines


def _exhibit(exhibit: Mapping[str, Any], language: str) -> Iterator[str]:
    def said(cell: Mapping[str, str] | str) -> str:
        words = words_of(cell)
        return " ".join((words.said_in(language) if isinstance(words, Text) else words).split())

    def head(column: Mapping[str, str] | str) -> str:
        words = heading(column) if isinstance(column, str) else words_of(column)
        return words.said_in(language) if isinstance(words, Text) else words

    yield from _wrapped(said(exhibit["title"]), "")
    heads = [head(column) for column in exhibit.get("headings", exhibit["columns"])]
    rows = [[said(cell) for cell in row] for row in exhibit["rows"]]
    if rows:
        yield from _rows(heads, rows)
    if exhibit.get("note"):
        yield from _wrapped(f"({said(exhibit['note'])})", _INDENT)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    aligned = [_INDENT + line for line in table(heads, rows).splitlines()]
    if max(map(len, aligned)) <= WIDTH:
        yield from aligned
        return
    for number, row in enumerate(rows):
        if number:
            yield ""
        for name, cell in zip(heads, row, strict=False):
            if cell:
                yield from _wrapped(f"{name}: {cell}", _INDENT)


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(
        line,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
    )
