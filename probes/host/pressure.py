"""Time that tasks waited for memory, disk or CPU, as counted by the kernel (PSI).

Load and iowait are averages over busy and idle tasks; pressure is the share of time in which work
was stalled. Kernels without it (or with psi=0) provide no figures; that is None, not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRESSURE = Path("/proc/pressure")


@dataclass(frozen=True, slots=True)
class Pressure:
    """Shares of the last minute: some task waited, all busy tasks waited."""

    some: float
    full: float


def pressure(resource: str, folder: Path = PRESSURE) -> Pressure | None:
    """The figures of ``memory``, ``io`` or ``cpu``; None if the kernel provides none."""
    try:
        text = (folder / resource).read_text()
    except OSError:
        return None
    return parsed(text)


def parsed(text: str) -> Pressure | None:
    """The one-minute averages from one file under /proc/pressure; None if it cannot be parsed."""
    shares = {"some": 0.0, "full": 0.0}  # old kernels write no "full" line for cpu
    seen = False
    for line in text.splitlines():
        kind, *fields = line.split()
        for field in fields:
            name, _, value = field.partition("=")
            if kind in shares and name == "avg60":
                shares[kind] = float(value) / 100
                seen = True
    return Pressure(shares["some"], shares["full"]) if seen else None
