"""Parses advice text into steps and commands that can be copied.

"1. … 2. …" becomes steps, `words in backticks` become code, and a command on its own (after a
colon, at the end of a sentence, or as a line that ends in a semicolon) becomes a separate block. No
text is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?:^|(?<=\s))(\d{1,2})[.)]\s+")
_CODE = re.compile(r"`([^`]*)`")


@dataclass(frozen=True, slots=True)
class Piece:
    """Plain words, inline code, or a command."""

    kind: str  # words | code | command
    text: str


@dataclass(frozen=True, slots=True)
class Guide:
    """Advice in order; not numbered: a single paragraph."""

    numbered: bool
    steps: tuple[tuple[Piece, ...], ...]


def guide(text: str) -> Guide:
    """The steps of a runbook, or a hint as its only step."""
    steps = _steps(text)
    return Guide(len(steps) > 1, tuple(_pieces(step) for step in steps))


def _steps(text: str) -> list[str]:
    """The text split before each number that continues the sequence: 1, 2, 3 …"""
    starts: list[tuple[int, int]] = []
    for found in _NUMBER.finditer(text):
        if int(found[1]) == len(starts) + 1:
            starts.append((found.start(), found.end()))
    if len(starts) < 2 or text[: starts[0][0]].strip():
        return [text.strip()] if text.strip() else []
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return [text[begin:end].strip() for (_, begin), end in zip(starts, ends, strict=True)]


def _pieces(step: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for line in step.splitlines():
        if line.rstrip().endswith(";") and "`" not in line:
            found.append(Piece("command", line.strip()))
        else:
            _add_line(found, line)
    return tuple(found)


def _add_line(found: list[Piece], line: str) -> None:
    parts = _CODE.split(line)  # words, code, words, code, …, words
    after_command = False
    for position, part in enumerate(parts):
        if position % 2 == 0:
            words = part.lstrip(" .;,") if after_command else part
            if words.strip():
                found.append(
                    Piece("words", words[:1].upper() + words[1:] if after_command else words)
                )
            after_command = False
        elif part:
            before, behind = parts[position - 1].rstrip(), parts[position + 1].lstrip()
            ends = not behind or behind[0] in ".;"
            after_command = ends and (" " in part or before.endswith(":"))
            found.append(Piece("command" if after_command else "code", part))
