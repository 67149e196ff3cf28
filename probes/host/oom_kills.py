"""Processes killed by the kernel for lack of memory.

A killed backend makes PostgreSQL end all sessions and recover; a killed mariadbd is simply gone.
The kernel only counts (oom_kill in /proc/vmstat, since boot), so the probe remembers the counts of
the last hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from probes.host.seen import require_here
from probes.host.uptime import uptime_seconds
from probes.model import (
    FailureKind,
    Measure,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)

SEEN = MemoryKey[list[list[float]]]("uptime and count of each reading")

WITHIN_SECONDS = 3600.0
VMSTAT = Path("/proc/vmstat")


def read(session: Session) -> Iterable[Measurement]:
    """Kills within the last hour. Raises ``ProbeError``: UNSUPPORTED on another host, BLIND if the
    kernel does not count them (before Linux 4.13).
    """
    require_here(session.target)
    yield measured(count_in(VMSTAT.read_text()), uptime_seconds(), session.memory)


def count_in(vmstat: str) -> int:
    """The kernel's count since boot; raises ``ProbeError(BLIND)`` where there is none."""
    for line in vmstat.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    raise ProbeError(
        FailureKind.BLIND,
        Text("the kernel does not count its OOM kills"),
        Text(
            "Linux 4.13 or newer is needed; or turn this question off: "
            "probes: {oom_kills: {enabled: false}}"
        ),
    )


def measured(count: int, uptime: float, memory: Memory) -> Measurement:
    """How many processes were killed within the last hour, as far as this agent has observed.

    ``uptime`` is the host's, in seconds. After a boot both counts start at zero. Kills before the
    first reading are not counted, because they may be weeks old.
    """
    known = memory.get(SEEN) or []
    past = [each for each in known if uptime - WITHIN_SECONDS <= each[0] <= uptime]
    last = known[-1:]
    if not past and last and last[0][0] <= uptime:
        past = last  # the agent was stopped for long: kills in the meantime still count once
    if past and past[0][1] > count:
        past = []
    seen = [*past, [uptime, count]]
    memory.set(SEEN, _thinned(seen))
    killed = count - seen[0][1]
    return Measurement("host_oom_kills", float(killed), detail={"since_boot": count})


def _thinned(seen: list[list[float]]) -> list[list[float]]:
    """Of readings with the same count, the first and the last are enough."""
    return [
        each
        for index, each in enumerate(seen)
        if index in (0, len(seen) - 1)
        or each[1] != seen[index - 1][1]
        or each[1] != seen[index + 1][1]
    ]


PROBE = Probe(
    name="oom_kills",
    engine="host",
    question=Text("Has the kernel killed a process for want of memory?"),
    measures=(
        Measure("host_oom_kills", "", "Processes the kernel killed within the last hour (OOM)."),
    ),
    thresholds=(
        Threshold(
            "host_oom_kills",
            Text(
                "{target}: the kernel killed {value} {value:process|processes} for want of "
                "memory in the last hour"
            ),
            Text(
                "Who was it: `journalctl -k | grep -i 'killed process'`. If the database: use "
                "less memory (work_mem, buffer pool, sessions), set vm.overcommit_memory=2 and "
                "OOMScoreAdjust=-900 for its service."
            ),
            "host",
            # One kill may have hit any process; several mean that the host is out of memory.
            warning=1.0,
            critical=3.0,
            clear_after=1,
            headline=Text("{target}: the kernel killed processes for want of memory"),
        ),
    ),
    read=read,
    every=30.0,
    runbook=Text(
        "1. `journalctl -k | grep -i oom`. 2. Did PostgreSQL recover (log: terminated by signal "
        "9)? 3. Use less memory."
    ),
)
