"""Parses the last deadlock from InnoDB's report, without user data. No I/O.

For each party: its session, account, statement without literals, the table and index it waited for,
and who was rolled back. The dumped records (user rows) are never kept.
Source: SHOW ENGINE INNODB STATUS, section LATEST DETECTED DEADLOCK, of MySQL 5.7 to 9 and MariaDB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.mysql.redact import statement

_SECTION = re.compile(r"^LATEST DETECTED DEADLOCK\n-+\n(?P<body>.*?)^-{4,}\n[A-Z]", re.M | re.S)
_AT = re.compile(r"\A(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_PARTY = re.compile(r"^\*\*\* \((?P<number>\d+)\) TRANSACTION:\n", re.M)
_SESSION = re.compile(
    r"^(?:MySQL|MariaDB) thread id (?P<id>\d+),.*?query id \d+ (?P<who>.*)$", re.M
)
_LOCK = re.compile(
    r"^(?:RECORD|TABLE) LOCKS?.*?(?:index `?(?P<index>[^`\s]+)`? of )?"
    r"table (?P<table>`[^`]+`(?:\.`[^`]+`)?).*?lock.mode (?P<mode>[A-Z,-]+).*? waiting$",
    re.M,
)
_VICTIM = re.compile(r"WE ROLL BACK TRANSACTION \((\d+)\)")


@dataclass(frozen=True, slots=True)
class InnodbParty:
    """One of the transactions in a deadlock."""

    connection: int
    account: str  # user@host
    statement: str  # redacted
    table: str
    index: str
    mode: str
    rolled_back: bool


@dataclass(frozen=True, slots=True)
class InnodbDeadlock:
    """The last deadlock the server resolved."""

    at: str  # the server's own time
    parties: tuple[InnodbParty, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables waited for, each once."""
        return tuple(dict.fromkeys(each.table for each in self.parties if each.table))


def last(report: str) -> InnodbDeadlock | None:
    """The last deadlock in ``report``; ``None`` where there was none since the start."""
    section = _SECTION.search(report)
    if section is None:
        return None
    body = section["body"]
    when = _AT.search(body)
    victim = _VICTIM.search(body)
    heads = list(_PARTY.finditer(body))
    ends = [head.start() for head in heads[1:]] + [len(body)]
    parties = tuple(
        _party(body[head.end() : end], victim is not None and victim[1] == head["number"])
        for head, end in zip(heads, ends, strict=True)
    )
    return InnodbDeadlock(when[1] if when else "", parties)


def _party(text: str, rolled_back: bool) -> InnodbParty:
    session = _SESSION.search(text)
    said = ""
    if session is not None:
        said = text[session.end() :].split("\n***", 1)[0]
    lock = _LOCK.search(text)
    return InnodbParty(
        int(session["id"]) if session else 0,
        _account(session["who"]) if session else "",
        statement(said),
        lock["table"].replace("`", "") if lock else "",
        (lock["index"] or "") if lock else "",
        lock["mode"] if lock else "",
        rolled_back,
    )


def _account(who: str) -> str:
    """``localhost root Updating`` or ``db1 10.0.0.5 simpeg Updating`` to ``user@host``."""
    words = who.split()
    if len(words) < 2:
        return who
    has_both = len(words) > 2 and re.fullmatch(r"[\d.]+|[\da-f:]*:[\da-f:]*", words[1])
    return f"{words[2]}@{words[1]}" if has_both else f"{words[1]}@{words[0]}"
