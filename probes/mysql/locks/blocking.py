"""Blocking tree: from wait edges to the sessions at the root. No I/O.

Every waiter is counted once under each root it leads to, a cycle (a deadlock the server has not
broken yet) ends the walk instead of looping, and the same input always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

UNSEEN = "?"
"""Key of the blocker that is not visible: its lock is outside InnoDB's list of transactions."""


@dataclass(frozen=True, slots=True)
class Node:
    """A session (or a transaction or thread without one) that waits, blocks, or both."""

    key: str
    connection: int = 0  # what KILL takes; 0: a transaction or thread without a session, or unseen
    user: str = ""
    host: str = ""
    database: str = ""
    command: str = ""  # Sleep, Query ...
    state: str = ""
    statement: str = ""  # redacted
    transaction_seconds: float | None = None
    waiting_seconds: float | None = None  # None: does not wait
    waits_for: str = ""  # row | metadata
    table: str = ""
    transaction: str = ""  # InnoDB's number
    undone: bool = False  # rolled back by InnoDB itself, after a crash
    thread: str = ""  # performance_schema's number of a thread of the server's own
    thread_name: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """``waiter`` waits for ``blocker``."""

    waiter: str
    blocker: str
    suspected: bool = False  # inferred from age, not read from a lock table


@dataclass(frozen=True, slots=True)
class RootBlocker:
    """A blocker that waits for nobody visible, and its waiters."""

    node: Node
    victims: int
    longest_seconds: float
    suspected: bool
    table: str  # of the victim that waits longest


@dataclass(frozen=True, slots=True)
class Picture:
    """The lock waits at one moment."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    waiting: int  # all that wait, also those beyond the cap
    longest_seconds: float

    @property
    def expanded(self) -> int:
        """How many waiters the picture contains."""
        return sum(1 for node in self.nodes.values() if node.waiting_seconds is not None)


def roots(picture: Picture) -> list[RootBlocker]:
    """The roots, the one with most waiters first; empty when nobody waits."""
    up = _blockers(picture.edges)
    victims: dict[str, list[Node]] = {}
    suspected: set[str] = set()
    for waiter in _waiters(picture):
        for key, unsure in _tops(waiter.key, up).items():
            if key == waiter.key:
                continue
            victims.setdefault(key, []).append(waiter)
            if unsure:
                suspected.add(key)
    found = []
    for key, held in victims.items():
        longest = max(held, key=_waited)
        found.append(
            RootBlocker(
                picture.nodes.get(key, Node(key)),
                len(held),
                _waited(longest),
                key in suspected,
                next((each.table for each in (longest, *held) if each.table), ""),
            )
        )
    return sorted(found, key=lambda root: (-root.victims, -root.longest_seconds, root.node.key))


def tree(picture: Picture) -> Iterator[tuple[int, Node, bool]]:
    """Depth, node and whether its place is only suspected; roots first, each node once.

    A session that waits for several is shown under the one nearest to the root: a queue of fifty on
    one row is a flat list below its holder.
    """
    heads = [(root.node.key, root.suspected) for root in roots(picture)]
    waiters = _waiters(picture)
    below: dict[str, list[tuple[str, bool]]] = {}
    placed = {key for key, _ in heads}
    level = [key for key, _ in heads]
    while level:
        reached: list[str] = []
        for key in level:
            for edge in _directly_below(key, picture.edges, waiters):
                if edge.waiter not in placed:
                    placed.add(edge.waiter)
                    below.setdefault(key, []).append((edge.waiter, edge.suspected))
                    reached.append(edge.waiter)
        level = reached
    # waiters whose blocker was gone by the time it was looked up
    heads += [(waiter.key, False) for waiter in waiters if waiter.key not in placed]
    stack = [(0, key, unsure) for key, unsure in reversed(heads)]
    while stack:
        depth, key, unsure = stack.pop()
        yield depth, picture.nodes.get(key, Node(key)), unsure
        stack += [(depth + 1, *each) for each in reversed(below.get(key, []))]


def _directly_below(key: str, edges: Iterable[Edge], waiters: Iterable[Node]) -> list[Edge]:
    """The edges into ``key``, the longest waiter first."""
    mine = {edge.waiter: edge for edge in edges if edge.blocker == key}
    return [mine[waiter.key] for waiter in waiters if waiter.key in mine]


def _waited(node: Node) -> float:
    return node.waiting_seconds or 0.0


def _waiters(picture: Picture) -> list[Node]:
    waiting = (node for node in picture.nodes.values() if node.waiting_seconds is not None)
    return sorted(waiting, key=lambda node: (-_waited(node), node.key))


def _blockers(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    up: dict[str, list[Edge]] = {}
    for edge in edges:
        if edge.waiter != edge.blocker:
            up.setdefault(edge.waiter, []).append(edge)
    return up


def _tops(start: str, up: Mapping[str, list[Edge]]) -> dict[str, bool]:
    """The ends of every way up from ``start``, and whether the way includes a suspected edge.

    A closed circle has no end; its smallest key is used.
    """
    ends: dict[str, bool] = {}
    seen: dict[str, bool] = {start: False}
    stack = [(start, False)]
    while stack:
        key, unsure = stack.pop()
        above = up.get(key, ())
        if not above:
            ends[key] = ends.get(key, True) and unsure
        for edge in above:
            doubt = unsure or edge.suspected
            if edge.blocker not in seen or (seen[edge.blocker] and not doubt):
                seen[edge.blocker] = doubt
                stack.append((edge.blocker, doubt))
    if not ends:
        ends[min(seen)] = False
    return ends
