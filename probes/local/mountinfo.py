"""What is mounted where, read from the kernel without touching any mount.

``ST_RDONLY`` of statvfs belongs to the mount, not to the file system. In a unit with
``ProtectSystem=strict`` every volume looks read-only, and an ext4 that stopped taking writes after
an error does not (since Linux 6.15 it sets ``emergency_ro`` and leaves the flag alone). The super
options of /proc/self/mountinfo are correct in both cases. Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO_WRITES = frozenset({"ro", "emergency_ro", "shutdown"})
"""Super options of a file system that takes no writes: mounted read-only, after an error, shut
down.
"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of mountinfo: one mount point."""

    point: str
    device: str  # "major:minor"
    kind: str  # ext4, xfs, tmpfs, nfs4 …
    source: str
    super_options: frozenset[str]

    @property
    def takes_no_writes(self) -> bool:
        """Whether the file system itself, not only this mount of it, refuses writes."""
        return not self.super_options.isdisjoint(_NO_WRITES)

    @property
    def after_an_error(self) -> bool:
        """Whether the file system stopped taking writes because of an error."""
        return not self.super_options.isdisjoint(_NO_WRITES - {"ro"})


def mounted(lines: Iterable[str] | None = None) -> Mapping[str, Mounted]:
    """Mount point -> what is mounted there; if there are several, the topmost.

    ``lines`` are mountinfo's, by default those of this process.
    """
    if lines is None:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as own:
            return mounted(list(own))
    found: dict[str, Mounted] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        place, file_system = before.split(), after.split()
        if len(place) < 6 or len(file_system) < 2:
            continue
        point = _unescaped(place[4])
        options = file_system[2] if len(file_system) > 2 else ""
        found[point] = Mounted(
            point,
            place[2],
            file_system[0],
            _unescaped(file_system[1]),
            frozenset(options.split(",")),
        )
    return found


def errors_recorded(device: str, sys: Path = Path("/sys")) -> int | None:
    """How many errors an ext4 file system has recorded since its last fsck; None: no record.

    ``device`` is "major:minor". Reading /sys never waits for the disk (ext4's admin guide,
    errors_count).
    """
    try:
        name = (sys / "dev" / "block" / device).resolve(strict=True).name
        return int((sys / "fs" / "ext4" / name / "errors_count").read_text())
    except (OSError, ValueError):
        return None


def _unescaped(name: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), name)
