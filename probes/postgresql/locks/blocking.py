"""Who stands at the root of a queue for locks: pure, over at most a few dozen waiters.

A queue on one row makes every waiter blocked by everybody ahead of it, so the number of edges is
quadratic; walking any one edge upwards finds the root all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PREPARED = 0
"""The pid PostgreSQL gives a prepared transaction as blocker."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The answer: which root each waiter ends at, and how many victims each root has."""

    of: Mapping[int, int]  # waiter -> root
    victims: Mapping[int, int]  # root -> number of waiters that end there, most first
    not_expanded: frozenset[int]  # roots that wait themselves, beyond those looked at

    @property
    def main(self) -> int | None:
        """The root with the most victims; the smaller pid when equal."""
        return next(iter(self.victims), None)


def roots(blockers: Mapping[int, Sequence[int]], waiting_elsewhere: frozenset[int]) -> Roots:
    """Walk each waiter up to who does not wait.

    ``blockers``: waiter -> pids it waits for (some of them). ``waiting_elsewhere``: pids known to
    wait but not looked at. A ring (a deadlock not yet broken) has its smallest pid as root.
    """
    found: dict[int, int] = {}
    for waiter in blockers:
        path: list[int] = []
        at = waiter
        while at not in found and at not in path and blockers.get(at):
            path.append(at)
            at = _upwards(at, blockers)
        if at in found:
            root = found[at]
        elif at in path:
            root = min(path[path.index(at) :])
        else:
            root = at
        found.update((pid, root) for pid in path)
    counted = Counter(root for waiter, root in found.items() if waiter != root)
    victims = dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    return Roots(found, victims, frozenset(victims) & waiting_elsewhere)


def _upwards(waiter: int, blockers: Mapping[int, Sequence[int]]) -> int:
    """The blocker to follow: one that does not wait itself, when there is one."""
    return next((pid for pid in blockers[waiter] if pid not in blockers), blockers[waiter][0])
