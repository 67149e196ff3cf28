"""Keeps evidence small and free of secrets, whoever gathered it.

Why: evidence is frozen into the ledger and printed; one wide table must not make an incident
unreadable, and no password may get there by way of a connection string. Promise: what was cut is
said in the exhibit's note. The engines take people's data out of statements themselves, each by
the lexical rules of its own SQL; what still looks like a statement here loses its quoted literals
once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from probes.model import Exhibit, Text

MOST_EXHIBITS = 12
MOST_ROWS = 50
MOST_COLUMNS = 24
COMMAND = "command"
"""The column of what a person might run; a probe writes it, never a server."""
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


def bounded(exhibits: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    """The exhibits, redacted and cut to what a person can read; cuts are said in the notes."""
    kept: list[Exhibit] = []
    room = MOST_CHARACTERS
    for exhibit in exhibits:
        if len(kept) == MOST_EXHIBITS:
            kept[-1] = _noted(kept[-1], f"further exhibits left out (at most {MOST_EXHIBITS})")
            break
        small, room = _cut(exhibit, room)
        kept.append(small)
    return tuple(kept)


def labelled(exhibits: Iterable[Exhibit], target: str) -> tuple[Exhibit, ...]:
    """The exhibits with the server they were taken on in their titles."""
    return tuple(
        replace(each, title=Text(f"{target}: {each.title.id}", f"{target}: {each.title.en}"))
        for each in exhibits
    )


def redacted(words: str) -> str:
    """The words without passwords; a statement also without its quoted literals."""
    without = _SECRETS.sub(
        lambda found: f"{found['word'] or found['scheme'] or found['clause']}***", words
    )
    return _QUOTED.sub("?", without) if _STATEMENT.match(without) else without


def _cut(exhibit: Exhibit, room: int) -> tuple[Exhibit, int]:
    columns = tuple(_short(name) for name in exhibit.columns[:MOST_COLUMNS])
    ours = columns.index(COMMAND) if COMMAND in columns else -1
    rows: list[tuple[str, ...]] = []
    for row in exhibit.rows[:MOST_ROWS]:
        cells = tuple(
            # Our own command has no literal of anybody's data, and must be run as it stands.
            cell[:LONGEST_CELL] if place == ours else _short(cell)
            for place, cell in enumerate(row[:MOST_COLUMNS])
        )
        room -= sum(map(len, cells))
        if room < 0:
            break
        rows.append(cells)
    small = Exhibit(exhibit.title, columns, tuple(rows), redacted(exhibit.note)[:LONGEST_NOTE])
    if len(rows) < len(exhibit.rows):
        small = _noted(small, f"{len(rows)} of {len(exhibit.rows)} rows shown")
    if len(columns) < len(exhibit.columns):
        small = _noted(small, f"{len(columns)} of {len(exhibit.columns)} columns shown")
    return small, max(room, 0)


def _short(cell: str) -> str:
    words = redacted(cell)
    return words if len(words) <= LONGEST_CELL else words[: LONGEST_CELL - 1] + "…"


def _noted(exhibit: Exhibit, note: str) -> Exhibit:
    return replace(exhibit, note=f"{exhibit.note}; {note}" if exhibit.note else note)
