"""Available memory of the host, and time spent waiting for memory.

Available memory is the kernel's own estimate of what programs can get without swapping
(MemAvailable; "free" would raise an alarm on every healthy host with a warm cache). Waiting for
memory is the kernel's pressure figure where it is provided (proc(5); the kernel's PSI
documentation).
"""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from probes.host.pressure import pressure
from probes.host.seen import require_here
from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.words.tables import LARGEST_OF_ALL
from probes.words.units import written

_MOST_PROCESSES = 10


def read(session: Session) -> Iterable[Measurement]:
    """Memory and swap; raises ``ProbeError(UNSUPPORTED)`` for a server on another host."""
    require_here(session.target)
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    detail = {
        "available": written(memory.available, "bytes"),
        "total": written(memory.total, "bytes"),
    }
    yield Measurement("host_memory_available_bytes", memory.available, detail=detail)
    yield Measurement("host_memory_available_ratio", memory.available / memory.total, detail=detail)
    if swap.total:
        yield Measurement("host_swap_used_ratio", swap.used / swap.total)
    waiting = pressure("memory")
    if waiting is not None:
        yield Measurement("host_memory_pressure_ratio", waiting.full)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The largest processes by resident size (shared memory included)."""
    require_here(session.target)
    found = []
    for process in psutil.process_iter(["pid", "name", "username", "memory_info"]):
        facts = process.info
        if facts["memory_info"] is not None:  # None: gone meanwhile, or not ours to see
            found.append((facts["memory_info"].rss, facts))
    found.sort(key=lambda each: -each[0])
    yield Exhibit(
        Text("Processes using most memory"),
        headings("pid", "name", "user", "resident"),
        tuple(
            (str(facts["pid"]), str(facts["name"]), str(facts["username"] or "-"),
             written(rss, "bytes"))
            for rss, facts in found[:_MOST_PROCESSES]
        ),
        note=LARGEST_OF_ALL.format(shown=min(_MOST_PROCESSES, len(found)), all=len(found)),
    )  # fmt: skip


PROBE = Probe(
    name="memory",
    engine="host",
    question=Text("Is there memory left on this host?"),
    measures=(
        Measure("host_memory_available_bytes", "bytes", "Memory available to programs."),
        Measure("host_memory_available_ratio", "ratio", "The same, as a share of all memory."),
        Measure("host_swap_used_ratio", "ratio", "Used share of the swap space, if there is any."),
        Measure(
            "host_memory_pressure_ratio",
            "ratio",
            "Share of the last minute in which all busy tasks waited for memory.",
        ),
    ),
    thresholds=(
        Threshold(
            "host_memory_available_ratio",
            Text("{target}: the host is nearly out of memory: {available} available of {total}"),
            Text(
                "Find the largest process (`ps --sort=-rss`). For a database: work_mem times the "
                "sessions, a buffer pool too large, or sessions piling up. A kill by the kernel "
                "(OOM) takes all of PostgreSQL down."
            ),
            "host",
            # Below a tenth is the common alarm; at 3 % the OOM killer is near.
            warning=0.10,
            critical=0.03,
            above=False,
            raise_after=3,
            clear_margin=0.3,
            headline=Text("{target}: the host is nearly out of memory"),
        ),
        Threshold(
            "host_swap_used_ratio",
            Text("{target}: {value} of the swap is used"),
            Text(
                "See who was pushed out (VmSwap in /proc/PID/status) and use less memory; a "
                "database server in swap is slow at random."
            ),
            "host",
            warning=0.80,
            raise_after=3,
            clear_margin=0.1,
            headline=Text("{target}: the host's swap is nearly used up"),
        ),
        Threshold(
            "host_memory_pressure_ratio",
            Text("{target}: all work on the host waits for memory {value} of the time"),
            Text(
                "The host is thrashing: stop large work that can wait before the kernel chooses "
                "a victim."
            ),
            "host",
            # Users notice when no work at all is done for a tenth of the time.
            warning=0.10,
            critical=0.40,
            raise_after=3,
            clear_margin=0.5,
            headline=Text("{target}: work on the host waits for memory"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    every=30.0,
    runbook=Text(
        "1. `ps aux --sort=-rss`. 2. Do database sessions pile up? 3. Cap the application's "
        "pool, lower work_mem or the buffer pool. 4. Protect the postmaster: OOMScoreAdjust=-900."
    ),
)
