"""Lines of /metrics in Prometheus' text format, kept as text and only joined when scraped.

A family is written once with HELP and TYPE, followed by all its lines; lines that expired or were
removed are not written. Safe for many writers and scrapers.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Key = tuple[str, ...]
"""Whose lines they are, from the whole to the part: (target,) or (target, probe)."""


@dataclass(frozen=True, slots=True)
class Family:
    """Name, type and help of a metric."""

    name: str
    help: str
    kind: Literal["gauge", "counter"] = "gauge"

    @property
    def header(self) -> str:
        words = self.help.replace("\\", "\\\\").replace("\n", " ")
        return f"# HELP {self.name} {words}\n# TYPE {self.name} {self.kind}\n"


def line(name: str, labels: Mapping[str, str], value: float) -> str:
    """One sample; ``value`` is a finite float, as every measurement is."""
    return sample(name, written(labels), value)


def written(labels: Mapping[str, str]) -> str:
    """The labels as written between the braces. Empty values are left out, which means the same."""
    return ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items() if text)


def sample(name: str, labels: str, value: float) -> str:
    """``line`` for labels that many samples share and that were ``written`` once."""
    return f"{name}{{{labels}}} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class _Kept:
    """The lines of one family."""

    def __init__(self, family: Family) -> None:
        self.header = family.header.encode()
        self.chunks: dict[Key, bytes] = {}
        self._expiries: dict[Key, float] = {}
        self._afterwards: dict[Key, bytes] = {}
        self._soonest = math.inf  # no chunk expires before this

    def put(self, key: Key, text: str, expires: float, afterwards: str) -> None:
        if afterwards:
            self._afterwards[key] = afterwards.encode()
        if expires < math.inf:
            self._expiries[key] = expires
            self._soonest = min(self._soonest, expires)
        self.chunks[key] = text.encode()

    def drop(self, key: Key) -> None:
        self.chunks.pop(key, None)
        self._expiries.pop(key, None)
        self._afterwards.pop(key, None)

    def expire(self, at: float) -> None:
        """Drop or replace what has expired; almost always one comparison."""
        if at < self._soonest:
            return
        # Reset first: a chunk put meanwhile lowers it again.
        self._soonest = math.inf
        for key, expires in list(self._expiries.items()):
            if expires <= at and self._expiries.get(key) == expires:  # not replaced meanwhile
                afterwards = self._afterwards.get(key)
                self.drop(key)
                if afterwards is not None:
                    self.chunks[key] = afterwards
            else:
                self._soonest = min(self._soonest, expires)


class Board:
    """Finished lines by family and owner."""

    def __init__(self) -> None:
        self._families: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def put(
        self,
        family: Family,
        key: Key,
        text: str,
        expires: float = math.inf,
        afterwards: str = "",
    ) -> None:
        """Replace the lines of ``key``; at the monotonic instant ``expires`` they vanish, or
        become ``afterwards``."""
        kept = self._families.get(family.name)
        if kept is None:
            with self._lock:
                kept = self._families.setdefault(family.name, _Kept(family))
        kept.put(key, text, expires, afterwards)

    def drop(self, family: str, key: Key) -> None:
        kept = self._families.get(family)
        if kept is not None:
            kept.drop(key)

    def forget(self, *first: str) -> None:
        """Drop every line whose key begins with ``first``: the target has left."""
        for kept in list(self._families.values()):
            for key in list(kept.chunks):
                if key[: len(first)] == first:
                    kept.drop(key)

    def families(self, at: float) -> Iterator[bytes]:
        """Each family that has not expired at the monotonic instant ``at``.

        Joined one by one: joining all lines at once fills a table as large as the page besides,
        and took twice as long (30,000 lines).
        """
        for kept in list(self._families.values()):
            kept.expire(at)
            # list() of a dict's values is one step of the interpreter: no lock, no torn read
            lines = list(kept.chunks.values())
            if lines:
                lines.insert(0, kept.header)
                yield b"".join(lines)

    def text(self, at: float) -> str:
        """All of them, as text."""
        return b"".join(self.families(at)).decode()
