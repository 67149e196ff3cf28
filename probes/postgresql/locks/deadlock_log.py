"""Parses the last deadlock from PostgreSQL's log, without user data. No I/O.

For each party: its pid, what it waited for and behind whom, and its statement without literals. The
server writes it in the language of lc_messages; English in a plain log is understood (not csvlog,
not jsonlog). Source: PostgreSQL's DeadLockReport: the first process is the one that was cancelled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.postgresql.statements import redacted

_HEAD = re.compile(r"^(?P<prefix>.*?)ERROR:  (?:40P01: )?deadlock detected$", re.M)
_DETAIL = re.compile(r"^.*?DETAIL:  (?P<first>.*)$", re.M)
_AT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Z+][\w+:-]*)?")
_WAITS = re.compile(
    r"^Process (?P<pid>\d+) waits for (?P<mode>\S+) on (?P<what>.*?); "
    r"blocked by process (?P<by>\d+)\.$"
)
_ASKS = re.compile(r"^Process (?P<pid>\d+): (?P<statement>.*)$")
_RELATION = re.compile(r'CONTEXT:  .*? in relation "(?P<name>(?:[^"]|"")+)"')
_LONGEST = 20_000
"""Characters after the first line within which a report ends; statements may be long."""


@dataclass(frozen=True, slots=True)
class Party:
    """One of the transactions in a deadlock."""

    pid: int
    mode: str
    waited_for: str  # "transaction 745", "relation 16384 of database 5"
    blocked_by: int
    statement: str  # redacted; "" where the log does not hold it


@dataclass(frozen=True, slots=True)
class Deadlock:
    """The last deadlock the server resolved."""

    at: str  # as at the beginning of the log's lines; "" if they have none
    relation: str  # the table of the cancelled transaction; "" if not in the log
    parties: tuple[Party, ...]  # the one given up first


def last(log: str) -> Deadlock | None:
    """The last deadlock in this part of a log; None if there is none, or only its beginning."""
    for head in reversed(list(_HEAD.finditer(log))):
        report = log[head.end() : head.end() + _LONGEST]
        detail = _DETAIL.search(report)
        if detail is None:
            continue
        lines = [detail["first"]]
        for line in report[detail.end() + 1 :].split("\n"):
            if not line.startswith("\t"):  # so the server marks what belongs to the line before
                break
            lines.append(line[1:])
        parties = _parties(lines)
        if parties:
            at, relation = _AT.search(head["prefix"]), _RELATION.search(report)
            return Deadlock(at[0] if at else "", relation["name"] if relation else "", parties)
    return None


def _parties(lines: list[str]) -> tuple[Party, ...]:
    waits = [found for line in lines if (found := _WAITS.match(line))]
    asked: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in lines[len(waits) :]:
        begins = _ASKS.match(line)
        if begins and int(begins["pid"]) not in asked:
            current = asked.setdefault(int(begins["pid"]), [])
            line = begins["statement"]
        if current is not None:
            current.append(line)
    return tuple(
        Party(
            int(each["pid"]),
            each["mode"],
            each["what"],
            int(each["by"]),
            redacted("\n".join(asked.get(int(each["pid"]), []))),
        )
        for each in waits
    )
