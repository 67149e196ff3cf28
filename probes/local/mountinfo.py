"""What is mounted where, read from the kernel without touching any mount.

``ST_RDONLY`` of statvfs belongs to the mount, not to the file system. In a unit with
``ProtectSystem=strict`` every volume looks read-only, and an ext4 that stopped taking writes after
an error does not (since Linux 6.15 it sets ``emergency_ro`` and leaves the flag alone). The super
options of /proc/self/mountinfo are correct in both cases. Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_NO_WRITES = frozenset({"ro", "emergency_ro", "shutdown"})
"""Super options of a file system that takes no writes: mounted read-only, after an error, shut
down.
"""


_OWN_DEVICE_NUMBERS = frozenset({"btrfs", "overlay"})
"""File systems whose files carry device numbers of their own (subvolumes, lower layers)."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line of mountinfo: one mount point."""

    point: str
    device: str  # "major:minor"
    kind: str  # ext4, xfs, tmpfs, nfs4 …
    source: str
    super_options: frozenset[str]
    root: str = "/"  # the folder of the file system that is shown here; "/" is all of it

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
            _unescaped(place[3]),
        )
    return found


def holder(path: str, points: Container[str]) -> str:
    """The mount point that holds ``path``, by name alone."""
    while path not in points and path != "/":
        path = os.path.dirname(path)
    return path


def volume_of(path: str, device: str, table: Mapping[str, Mounted]) -> str | None:
    """The mount point to name for a file on ``device``; None where no mount shows the device.

    A device may be mounted many times: bind mounts, network namespaces under /run/netns, the
    folders that systemd binds into a unit. The mount that leads to ``path`` comes first. A path of
    another mount namespace leads nowhere here: then a mount that shows the whole file system, then
    the one with the shortest name. Btrfs and overlay give files device numbers that no mount has,
    so there the name of the path decides alone.
    """
    leads = holder(path, table)
    on_device = [mount for mount in table.values() if mount.device == device]
    if not on_device:
        found = table.get(leads)
        return leads if found is not None and found.kind in _OWN_DEVICE_NUMBERS else None
    if any(mount.point == leads for mount in on_device):
        return leads
    return min(on_device, key=lambda mount: (mount.root != "/", len(mount.point))).point


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
