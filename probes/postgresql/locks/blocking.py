"""Root blockers of a lock queue. No I/O; at most a few dozen waiters.

In a queue on one row every waiter is blocked by all ahead of it, so the number of edges is
quadratic; following any one edge upwards still finds the root.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PREPARED = 0
"""The pid that PostgreSQL reports for a prepared transaction as blocker."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The root of each waiter, and how many waiters each root has."""

    of: Mapping[int, int]  # waiter -> root
    victims: Mapping[int, int]  # root -> number of waiters that end there, most first
    not_expanded: frozenset[int]  # roots that wait themselves, beyond those looked at

    @property
    def main(self) -> int | None:
        """The root with the most waiters; the smaller pid if equal."""
        return next(iter(self.victims), None)


def roots(blockers: Mapping[int, Sequence[int]], waiting_elsewhere: frozenset[int]) -> Roots:
    """Follow each waiter up to a session that does not wait.

    ``blockers``: waiter -> pids it waits for (some of them). ``waiting_elsewhere``: pids that are
    known to wait but were not read. A cycle (a deadlock not yet broken) has its smallest pid as
    root.
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
