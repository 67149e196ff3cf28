"""Set operations on global transaction ids of both flavours. No I/O.

MySQL writes sets of intervals by server (``uuid:1-5:7``, since 8.3 with tags: ``uuid:tag:1-3``),
MariaDB the last number of each domain and server (``0-1-12``). Text that cannot be parsed counts as
empty for that part and never raises.
"""

from __future__ import annotations

from collections.abc import Mapping

Intervals = tuple[tuple[int, int], ...]


def parsed(text: str) -> dict[str, Intervals]:
    """A MySQL set by source (``uuid`` or ``uuid:tag``), with sorted, disjoint intervals."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in text.replace("\n", "").replace(" ", "").split(","):
        server, *rest = part.lower().split(":")
        source = server
        for each in rest:
            first, _, last = each.partition("-")
            if not first.isdigit():
                source = f"{server}:{each}"
                continue
            end = int(last) if last.isdigit() else int(first)
            found.setdefault(source, []).append((int(first), end))
    return {source: _merged(intervals) for source, intervals in found.items()}


def _merged(intervals: list[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def count(intervals: Intervals) -> int:
    """How many transactions the intervals contain."""
    return sum(last - first + 1 for first, last in intervals)


def without(these: Intervals, those: Intervals) -> Intervals:
    """What is in ``these`` and not in ``those``."""
    left: list[tuple[int, int]] = []
    for first, last in these:
        at = first
        for start, end in those:
            if end < at or start > last:
                continue
            if start > at:
                left.append((at, start - 1))
            at = end + 1
        if at <= last:
            left.append((at, last))
    return tuple(left)


def missing(wanted: str, had: str) -> int:
    """How many transactions of MySQL set ``wanted`` are not in ``had``."""
    here = parsed(had)
    return sum(count(without(each, here.get(name, ()))) for name, each in parsed(wanted).items())


def of_server(text: str, server: str) -> Intervals:
    """The transactions of one server in a MySQL set, whatever their tag."""
    server = server.lower()
    mine = [
        interval
        for source, intervals in parsed(text).items()
        if source.partition(":")[0] == server
        for interval in intervals
    ]
    return _merged(mine)


def written(server: str, intervals: Intervals, most: int = 3) -> str:
    """``uuid:5-7:9`` for people, cut after ``most`` intervals."""
    shown = [str(a) if a == b else f"{a}-{b}" for a, b in intervals[:most]]
    return ":".join([server, *shown]) + (":…" if len(intervals) > most else "")


def domains(text: str) -> dict[int, int]:
    """MariaDB: the highest number of each domain, whichever server wrote it."""
    found: dict[int, int] = {}
    for (domain, _), sequence in by_writer(text).items():
        found[domain] = max(found.get(domain, 0), sequence)
    return found


def by_writer(text: str) -> dict[tuple[int, int], int]:
    """MariaDB: (domain, server id) to the last number it wrote there."""
    found: dict[tuple[int, int], int] = {}
    for each in text.split(","):
        parts = each.strip().split("-")
        if len(parts) == 3 and all(part.isdigit() for part in parts):
            domain, server, sequence = (int(part) for part in parts)
            found[domain, server] = max(found.get((domain, server), 0), sequence)
    return found


def behind(received: Mapping[int, int], applied: Mapping[int, int]) -> int:
    """MariaDB: numbers received and not yet applied, over all domains."""
    return sum(max(0, at - applied.get(domain, 0)) for domain, at in received.items())
