"""Removes literals from captured statements.

Evidence is stored and printed; names, numbers and dates of citizens in a statement must not be in
it. When in doubt, text is removed. Lexical rules: PostgreSQL manual, "Lexical Structure".
"""

from __future__ import annotations

import re

_LITERALS = re.compile(
    r"""
      --[^\n]*                                   # comments may carry data as well
    | /\*.*?(?:\*/|\Z)
    | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)     # dollar quotes, also when cut off
    | \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)          # escape strings
    | (?:\b[bBxXnN]|\b[uU]&)?'(?:[^']|'')*(?:'|\Z)
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))            # quoted names stay
    | (?<![\w$.])0[xXoObB][\da-fA-F_]+\b
    | (?<![\w$.])[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\b
    """,
    re.VERBOSE | re.DOTALL,
)


def redacted(statement: str, characters: int = 300) -> str:
    """``statement`` on one line with every literal as ``?`` and without comments, cut short."""
    bare = _LITERALS.sub(_replacement, statement)
    line = " ".join(bare.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


def _replacement(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return match["name"]
    return " " if match[0].startswith(("--", "/*")) else "?"
