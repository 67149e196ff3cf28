"""Visits every database of a server in turn, within the time limit.

Some catalogues exist once per database. Each is read in its own short session, one after the other,
so a probe never has more than one. What the time does not allow is visited at the next readings,
and the last answer is kept until then, because a missing answer is no reason to clear.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from probes.model import FailureKind, MemoryKey, ProbeError, Session, Text
from probes.wire import deadline

SHARE_OF_THE_TIME = 0.6
"""Of the deadline in force; the rest is for the probe's other work."""

_NAMES = """
select datname::text as name from pg_database
where datallowconn and not datistemplate order by datname
"""

_CLOSED = frozenset({FailureKind.DENIED, FailureKind.BLIND, FailureKind.BROKEN})


@dataclass(slots=True)
class Visits:
    """What is known of each database, from this or an earlier reading."""

    answers: dict[str, Any] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)  # database -> its answer
    next: str = ""  # where the next reading continues

    @property
    def unseen(self) -> Text:
        """The databases that cannot be read, with the reason of the first."""
        names = ", ".join(sorted(self.closed))
        return Text("{names}: {why}", names=names, why=next(iter(self.closed.values()), ""))


_VISITS = MemoryKey[Visits]("what is known of each database")


def visit(
    session: Session,
    ask: Callable[[Session], Any],
    names: Sequence[str] | None = None,
    unchanged: Collection[str] = (),
) -> Visits:
    """Query each database (or those of ``names``), continuing where the last reading stopped.

    Databases in ``unchanged`` with a known answer are not logged in to: their answer is kept.
    A database that refuses the account or the query is recorded in ``closed`` and does not stop the
    others. Raises ``ProbeError`` only from the kept session.
    """
    there = [str(row["name"]) for row in session.rows(_NAMES)] if names is None else list(names)
    visits = session.memory.of(_VISITS, Visits())
    for known in (visits.answers, visits.closed):
        for gone in known.keys() - set(there):
            del known[gone]
    reserve = deadline.remaining() * (1 - SHARE_OF_THE_TIME)
    for name in _in_turn(there, visits.next):
        if deadline.remaining() <= reserve:
            visits.next = name
            return visits
        if name in unchanged and name in visits.answers:
            continue
        try:
            with deadline.within(deadline.remaining() - reserve), session.fresh(name) as own:
                visits.answers[name] = ask(own)
            visits.closed.pop(name, None)
        except ProbeError as error:
            if error.failure.kind in _CLOSED:
                visits.closed[name] = error.failure.message
                continue
            # No time or no slot: the next reading continues after the one that took too long.
            visits.next = there[(there.index(name) + 1) % len(there)]
            return visits
    visits.next = ""
    return visits


def _in_turn(names: Sequence[str], first: str) -> Iterator[str]:
    start = names.index(first) if first in names else 0
    yield from names[start:]
    yield from names[:start]
