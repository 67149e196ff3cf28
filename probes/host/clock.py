"""State of the host's clock: synchronised, and not stepped.

Working time, replication lag and certificates depend on it. The kernel reports synchronisation
whichever NTP daemon runs: adjtimex(2) returns whether the clock is disciplined and its maximum
error. A step is detected by comparison with CLOCK_BOOTTIME, which is never set.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
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

_BETWEEN = MemoryKey[float]("seconds between the two clocks")
_STEP = MemoryKey[tuple[float, float]]("uptime at the last step, and its size")

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
_TIMESYNCD_GOOD_FOR_SECONDS = 3 * 3600.0  # it asks at least every 34 minutes
_STEP_SHOWN_SECONDS = 600.0
_LEAST_STEP_SECONDS = 0.2  # slewing and the time between two calls stay below


@dataclass(frozen=True, slots=True)
class Clock:
    """What the kernel, or the daemon that disciplines it, reports about the clock."""

    synchronised: bool
    worst_error_seconds: float | None  # None: not reported


class _Timex(ctypes.Structure):
    """The beginning of the kernel's struct timex; the rest is padding."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def read(session: Session) -> Iterable[Measurement]:
    """State of the clock. Raises ``ProbeError``: UNSUPPORTED for a server on another host, BLIND if
    the kernel call is forbidden and systemd-timesyncd does not discipline the clock.
    """
    require_here(session.target)
    step = stepped(time.time(), uptime_seconds(), session.memory)
    clock = kernel_clock() or timesyncd_clock(time.time())
    if clock is None:
        raise _may_not_ask()
    yield Measurement("host_clock_synchronised", float(clock.synchronised))
    if clock.worst_error_seconds is not None:
        yield Measurement("host_clock_worst_error_seconds", clock.worst_error_seconds)
    yield Measurement("host_clock_step_seconds", step)


def kernel_clock() -> Clock | None:
    """The kernel's state, read only (modes = 0 changes nothing); None if the call is forbidden.

    systemd's ProtectClock=yes forbids even reading.
    """
    asked = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError, MemoryError):
        return None  # no such call in this C library, or none may be made from here
    if state < 0:
        return None
    synchronised = state != _TIME_ERROR and not asked.status & _STA_UNSYNC
    return Clock(synchronised, asked.maxerror / 1e6)


def timesyncd_clock(now: float, mark: Path = _TIMESYNCD) -> Clock | None:
    """State from the file that systemd-timesyncd touches at each synchronisation; None without
    it.
    """
    try:
        touched = os.stat(mark).st_mtime
    except OSError:
        return None
    return Clock(now - touched <= _TIMESYNCD_GOOD_FOR_SECONDS, None)


def stepped(wall: float, uptime: float, memory: Memory) -> float:
    """Seconds by which the wall clock was stepped within the last ten minutes; 0 for none.

    ``wall`` and ``uptime`` are the two clocks now. The step is reported for ten minutes so that a
    reading cannot miss it. It has no sign, since both directions do harm.
    """
    between = wall - uptime
    known = memory.get(_BETWEEN)
    jump = abs(between - known) if known is not None else 0.0
    memory.set(_BETWEEN, between)
    if jump >= _LEAST_STEP_SECONDS:
        memory.set(_STEP, (uptime, jump))
    at, size = memory.get(_STEP) or (uptime, 0.0)
    return size if 0 <= uptime - at < _STEP_SHOWN_SECONDS else 0.0


def _may_not_ask() -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        Text("the kernel may not be asked about the clock"),
        Text(
            "Put deploy/host.conf into /etc/systemd/system/sigap.service.d/ "
            "(ProtectClock=no and SystemCallFilter=adjtimex): as it stands even reading is "
            "forbidden; setting the clock stays impossible without its right. Or turn this "
            "question off: "
            "probes: {clock: {enabled: false}}"
        ),
    )


PROBE = Probe(
    name="clock",
    engine="host",
    question=Text("Is this host's clock kept right, and has it not jumped?"),
    measures=(
        Measure("host_clock_synchronised", "", "1 when the kernel's clock is synchronised (NTP)."),
        Measure("host_clock_worst_error_seconds", "seconds", "Maximum error of the clock."),
        Measure(
            "host_clock_step_seconds",
            "seconds",
            "Largest clock step within the last ten minutes.",
        ),
    ),
    thresholds=(
        Threshold(
            "host_clock_synchronised",
            Text("{target}: the host's clock is not synchronised (NTP)"),
            Text(
                "Run chrony or systemd-timesyncd (`timedatectl set-ntp true`) and see that the "
                "NTP server can be reached (UDP 123)."
            ),
            "clock",
            warning=0.0,
            above=False,
            raise_after=10,  # a daemon that has just started needs a few minutes
        ),
        Threshold(
            "host_clock_step_seconds",
            Text("{target}: the host's clock jumped {value}"),
            Text(
                "Who set the clock (date, the hypervisor, a first NTP answer)? Lag, deadlines and "
                "logs around that moment are not to be trusted."
            ),
            "clock",
            # One second already changes the order of log lines from two hosts.
            warning=1.0,
            clear_after=1,
            headline=Text("{target}: the host's clock jumped"),
        ),
    ),
    read=read,
    every=60.0,
    runbook=Text(
        "1. `timedatectl`; `chronyc tracking`. 2. Reach the NTP server. 3. The hypervisor's clock."
    ),
)
