"""How long tasks waited for memory, disk or processor, as the kernel counts it (PSI).

Why: load and iowait are averages of the busy and the idle; pressure is the share of time in which
work stood still. Kernels without it (or with psi=0) have no figures, which is None and not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRESSURE = Path("/proc/pressure")


@dataclass(frozen=True, slots=True)
class Pressure:
    """Shares of the last minute: some task waited, every busy task waited."""

    some: float
    full: float


def pressure(resource: str, folder: Path = PRESSURE) -> Pressure | None:
    """The figures of ``memory``, ``io`` or ``cpu``; None where the kernel keeps none."""
    try:
        text = (folder / resource).read_text()
    except OSError:
        return None
    return parsed(text)


def parsed(text: str) -> Pressure | None:
    """The minute's averages of one file under /proc/pressure; None for what is not one."""
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
