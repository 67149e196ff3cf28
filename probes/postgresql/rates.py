"""Growth of counters since the last reading, kept in the probe's own memory. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from probes.model import Memory, MemoryKey

COUNTERS = MemoryKey[tuple[float, dict[str, float]]]("time and counters of the last reading")


class Growth(NamedTuple):
    """How much each counter grew, and over how long."""

    seconds: float
    by: Mapping[str, float]

    def per_second(self, name: str) -> float:
        """The rate of one counter."""
        return self.by[name] / self.seconds


def growth(memory: Memory, now_seconds: float, counters: Mapping[str, float]) -> Growth | None:
    """The growth since the previous reading, on the server's clock; None when it is not known.

    Not known at the first reading, when no time has passed, and when a counter fell: its statistics
    were reset or another server answers, and a guess would be a false rate. A new counter (a
    database just created) grew by all it shows.
    """
    before = memory.get(COUNTERS)
    memory.set(COUNTERS, (now_seconds, dict(counters)))
    if before is None:
        return None
    then, old = before
    seconds = now_seconds - then
    by = {name: value - old.get(name, 0.0) for name, value in counters.items()}
    if seconds <= 0 or any(grown < 0 for grown in by.values()):
        return None
    return Growth(seconds, by)
