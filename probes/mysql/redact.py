"""Removes user data from statements and error texts before they become evidence.

No string, number or hexadecimal literal of a statement remains, not even a truncated one; names of
tables, columns and keys remain, because they name the cause.
"""

from __future__ import annotations

import re

LONGEST = 200

_LITERALS = re.compile(
    r"""(?P<name>`(?:[^`]|``)*`)                            # a quoted identifier: kept
    | [xXbBnN]?'(?:[^'\\]|\\.|'')*(?:'|$)                   # 'text', cut off or not
    | "(?:[^"\\]|\\.|"")*(?:"|$)                            # "text"
    | (?<![\w$])(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w$])
    """,
    re.VERBOSE | re.DOTALL,
)
_ENTRY = re.compile(
    r"(entry |value[s:]* |row )'.*?'(?= for |\s*(?:,|;|$))", re.IGNORECASE | re.DOTALL
)
_QUERY = re.compile(r"(Query: )['\"]?(?P<sql>.*?)(?P<close>['\"]?\s*)$", re.DOTALL)


def statement(sql: object) -> str:
    """One line of at most 200 characters with every literal replaced by ``?``."""
    if sql is None:
        return ""
    text = sql.decode("utf-8", "replace") if isinstance(sql, bytes) else str(sql)
    bare = _LITERALS.sub(lambda found: found["name"] or "?", text)
    line = " ".join(bare.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def error_text(message: object) -> str:
    """A replication error with the offending values and the statement's literals taken out."""
    text = " ".join(str(message or "").split())
    text = _QUERY.sub(lambda found: f"{found[1]}{statement(found['sql'])}", text)
    return _ENTRY.sub(lambda found: f"{found[1]}'?'", text)
