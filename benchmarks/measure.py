"""Measures time, CPU and memory in one way, so that figures can be compared.

Percentiles are nearest rank (always a measured value); the CPU of a process is what the kernel
charged to it and its children; CPU pinning lasts as long as its block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest measured value that at least ``share`` of all do not exceed; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value (the lower one of two)."""
    return percentile(values, 0.5)


def tree_cpu_seconds(pid: int) -> float:
    """CPU of a process, its living descendants, and its children that ended; 10 ms ticks."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


def cores() -> tuple[set[int], set[int]]:
    """Where the measured runs, and where everything around it runs; the same on a single core."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[-1]}, {usable[0]}


@contextmanager
def placed(on: set[int]) -> Iterator[None]:
    """This thread, and every process it starts meanwhile, runs on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, on)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def go_ahead(pid: int) -> None:
    """Let a process go before others' work when this one does.

    With autogrouping (sched(7)) a nice value counts only among the processes of one session, and
    what is measured has a session of its own.
    """
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    group = Path(f"/proc/{pid}/autogroup")
    if mine < 0 and group.exists():
        group.write_text(str(mine), encoding="ascii")


def series(page: bytes) -> int:
    """Samples on a page of metrics."""
    return sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
