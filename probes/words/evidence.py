"""Limits the size of evidence and removes secrets from it.

Evidence is stored in the ledger and printed. Whatever is cut off is stated in the exhibit's note.
Each engine redacts literals from statements by the lexical rules of its own SQL; text that still
looks like a statement here has its quoted literals removed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from probes.i18n.headings import heading
from probes.model import Exhibit, Text, Words
from probes.words.tables import remarks

MOST_EXHIBITS = 12
MOST_ROWS = 50
MOST_COLUMNS = 24
COMMAND = "command"
"""The column for commands that a person may run; written by a probe, never by a server."""
LONGEST_CELL = 600  # characters
LONGEST_NOTE = 1000  # characters
MOST_CHARACTERS = 48_000  # of all cells together

_SECRETS = re.compile(
    r"""
      (?P<word>(?:password|passwd|pwd|passfile|sslpassword|secret|token)\b\s*[=:]\s*)
      (?:'(?:[^'\\]|\\.|'')*(?:'|$)|"[^"]*(?:"|$)|[^\s,;&)]+)
    | (?P<scheme>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)
    | (?P<clause>\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)|password)\s+)
      '(?:[^'\\]|\\.|'')*(?:'|$)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"^\s*(?:select|insert|update|delete|merge|replace|with|call|copy|values|load|set)\s", re.I
)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|$)")

_LEFT_OUT = Text("further exhibits left out (at most {most})")
_ROWS_SHOWN = Text("{shown} of {all} rows shown")
_COLUMNS_SHOWN = Text("{shown} of {all} columns shown")


def bounded(exhibits: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    """The exhibits, redacted and cut to a readable size; the notes state what was cut."""
    kept: list[Exhibit] = []
    room = MOST_CHARACTERS
    for exhibit in exhibits:
        if len(kept) == MOST_EXHIBITS:
            kept[-1] = _noted(kept[-1], _LEFT_OUT.format(most=MOST_EXHIBITS))
            break
        small, room = _cut(exhibit, room)
        kept.append(small)
    return tuple(kept)


def labelled(exhibits: Iterable[Exhibit], target: str) -> tuple[Exhibit, ...]:
    """The exhibits, with the server they were taken on added to their titles."""
    return tuple(
        replace(each, title=Text("{target}: {title}", target=target, title=each.title))
        for each in exhibits
    )


def redacted(words: str) -> str:
    """The text without passwords; a statement also without its quoted literals."""
    without = _SECRETS.sub(
        lambda found: f"{found['word'] or found['scheme'] or found['clause']}***", words
    )
    return _QUOTED.sub("?", without) if _STATEMENT.match(without) else without


def _cut(exhibit: Exhibit, room: int) -> tuple[Exhibit, int]:
    columns = tuple(_each(name, _short) for name in exhibit.columns[:MOST_COLUMNS])
    commands = (COMMAND, heading(COMMAND))
    ours = next((place for place, name in enumerate(columns) if name in commands), -1)
    rows: list[tuple[Words, ...]] = []
    for row in exhibit.rows[:MOST_ROWS]:
        cells = tuple(
            # Our own command contains no user data, and must stay executable.
            _each(cell, _cut_off if place == ours else _short)
            for place, cell in enumerate(row[:MOST_COLUMNS])
        )
        room -= sum(map(_characters, cells))
        if room < 0:
            break
        rows.append(cells)
    note = _each(exhibit.note, lambda words: redacted(words)[:LONGEST_NOTE])
    small = Exhibit(exhibit.title, columns, tuple(rows), note)
    if len(rows) < len(exhibit.rows):
        small = _noted(small, _ROWS_SHOWN.format(shown=len(rows), all=len(exhibit.rows)))
    if len(columns) < len(exhibit.columns):
        small = _noted(small, _COLUMNS_SHOWN.format(shown=len(columns), all=len(exhibit.columns)))
    return small, max(room, 0)


def _each(words: Words, change: Callable[[str], str]) -> Words:
    """The text changed in every language."""
    return words.changed(change) if isinstance(words, Text) else change(words)


def _characters(words: Words) -> int:
    return len(words.id) + len(words.en) if isinstance(words, Text) else len(words)


def _cut_off(command: str) -> str:
    return command[:LONGEST_CELL]


def _short(cell: str) -> str:
    words = redacted(cell)
    return words if len(words) <= LONGEST_CELL else words[: LONGEST_CELL - 1] + "…"


def _noted(exhibit: Exhibit, note: Text) -> Exhibit:
    return replace(exhibit, note=remarks(exhibit.note, note))
