"""Load of the host: more work than CPUs, or processes waiting for the disk.

Load is reported per CPU, over five minutes. Time spent waiting for I/O comes twice: iowait (share
of CPU time between two readings) and, where the kernel provides it, pressure, which is the only
accurate figure on hosts with many CPUs (proc(5), the kernel's PSI documentation).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil

from probes.host.pressure import pressure
from probes.host.seen import require_here
from probes.i18n.headings import headings
from probes.model import (
    Exhibit,
    Measure,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    Session,
    Text,
    Threshold,
)
from probes.words.units import written

_TIMES = MemoryKey[tuple[float, float]]("iowait and all CPU time")

_MOST_PROCESSES = 20


def read(session: Session) -> Iterable[Measurement]:
    """Load, iowait and pressure; raises ``ProbeError(UNSUPPORTED)`` for a server on another
    host.
    """
    require_here(session.target)
    cores = os.cpu_count() or 1
    load = os.getloadavg()[1]
    detail = {"load": written(round(load, 1), ""), "cores": cores}
    yield Measurement("host_load_ratio", load / cores, detail=detail)
    times = psutil.cpu_times()
    waited = iowait_ratio(float(times.iowait), float(sum(times[:8])), session.memory)
    if waited is not None:
        yield Measurement("host_iowait_ratio", waited)
    for resource, measure in (("io", "host_io_pressure_ratio"), ("cpu", "host_cpu_pressure_ratio")):
        waiting = pressure(resource)
        if waiting is not None:
            share = waiting.full if resource == "io" else waiting.some
            yield Measurement(measure, share)


def iowait_ratio(iowait: float, total: float, memory: Memory) -> float | None:
    """The share of CPU time spent waiting for I/O since the last reading; None at the first.

    Both in seconds since boot. The kernel's iowait may decrease a little; that counts as 0.
    """
    before = memory.get(_TIMES)
    memory.set(_TIMES, (iowait, total))
    if before is None or total <= before[1]:
        return None
    return min(1.0, max(0.0, (iowait - before[0]) / (total - before[1])))


def exhibits(session: Session) -> Iterable[Exhibit]:
    """Processes in state D, which wait for a device and cannot be interrupted."""
    require_here(session.target)
    waiting = [
        process.info
        for process in psutil.process_iter(["pid", "name", "username", "status"])
        if process.info["status"] == psutil.STATUS_DISK_SLEEP
    ]
    yield Exhibit(
        Text("Processes waiting for a device (state D)"),
        headings("pid", "name", "user"),
        tuple(
            (str(each["pid"]), str(each["name"]), str(each["username"] or "-"))
            for each in waiting[:_MOST_PROCESSES]
        ),
        note=Text("{n} in all", n=len(waiting)),
    )


PROBE = Probe(
    name="load",
    engine="host",
    question=Text("Is this host overloaded?"),
    measures=(
        Measure("host_load_ratio", "ratio", "Load of the last five minutes per CPU."),
        Measure("host_iowait_ratio", "ratio", "Share of CPU time spent waiting for I/O."),
        Measure(
            "host_io_pressure_ratio",
            "ratio",
            "Share of the last minute in which all busy tasks waited for I/O.",
        ),
        Measure(
            "host_cpu_pressure_ratio",
            "ratio",
            "Share of the last minute in which some task waited for a CPU.",
        ),
    ),
    thresholds=(
        Threshold(
            "host_load_ratio",
            Text("{target}: the host's load is {load} on {cores} processors ({value})"),
            Text(
                "top: are the processors used up (heavy queries, a backup) or do processes wait "
                "for the disk (state D)? Compare with the database's active sessions."
            ),
            "host",
            # Twice the CPUs for five minutes is a queue, and one that lasts another five minutes
            # is not a short job. Load alone is no outage: the database's own probes show whether
            # users are affected.
            warning=2.0,
            raise_after=10,
            clear_margin=0.25,
            headline=Text("{target}: the host's load is too high"),
        ),
        Threshold(
            "host_iowait_ratio",
            Text("{target}: {value} of the host's processor time waits for the disk"),
            Text(
                "`iostat -x 5`: which disk is saturated? A backup, a checkpoint, or a RAID being "
                "rebuilt?"
            ),
            "host",
            warning=0.30,
            raise_after=6,
            clear_margin=0.3,
            headline=Text("{target}: the host's processors wait for the disk"),
        ),
        Threshold(
            "host_io_pressure_ratio",
            Text("{target}: all work on the host waits for the disk {value} of the time"),
            Text(
                "The storage cannot keep pace or hangs: `iostat -x 5`, `dmesg`, the RAID's "
                "state, and the provider's IOPS limit."
            ),
            "host",
            warning=0.40,
            critical=0.90,
            raise_after=6,
            clear_margin=0.3,
            headline=Text("{target}: work on the host waits for the disk"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    every=30.0,
    runbook=Text(
        "1. top and `iostat -x 5`. 2. Processes in state D wait for a device. 3. The database's "
        "active sessions and heaviest queries. 4. Put off the backup or the bulk job."
    ),
)
