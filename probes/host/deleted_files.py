"""Disk space used by deleted files that the server still has open.

A dropped table, a rotated log or a temporary file that a backend still has open keeps using disk
space: df counts it, du does not. Such files are visible only in /proc of the server's processes
(proc(5)), which the agent may read as root, as the server's own account, or with CAP_SYS_PTRACE;
otherwise the probe is blind.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probes.host.seen import SECONDS_PER_LOOK, paths_seen_elsewhere, require_here
from probes.i18n.headings import headings
from probes.local.mountinfo import Mounted, mounted, volume_of
from probes.local.mounts import SHARED, FailingError, StuckError
from probes.local.processes import SERVER_NAMES
from probes.model import (
    Exhibit,
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)
from probes.wire import deadline
from probes.words.tables import LARGEST_OF_ALL
from probes.words.units import written

PROC = Path("/proc")
_DELETED = " (deleted)"
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A deleted file that is still open; counted once, however many processes have it open."""

    path: str
    pid: int
    device: str  # "major:minor"
    inode: int
    bytes: int  # what it takes on the disk


@dataclass(frozen=True, slots=True)
class Process:
    """A process that may be the server's, and its working directory; None if that is not
    readable.
    """

    pid: int
    directory: tuple[int, int] | None  # device and inode


def read(session: Session) -> Iterable[Measurement]:
    """Space used by deleted files, for each volume that has any; otherwise 0 for the data volume.

    Raises ``ProbeError``: UNSUPPORTED for a server on another host, without a process here (down,
    or in another container) or without a readable data directory, BLIND if its processes may not be
    read.
    """
    home, held = _held_by_server(session)
    table = mounted()
    totals: dict[str, list[Held]] = {home: []}
    for each in held:
        named = volume_of(each.path, each.device, table) or each.device
        totals.setdefault(named, []).append(each)
    for point, files in totals.items():
        room = sum(each.bytes for each in files)
        detail: dict[str, object] = {"files": len(files)}
        if files:
            largest = max(files, key=lambda each: each.bytes)
            detail |= {"largest": largest.path, "pid": largest.pid}
        yield Measurement("deleted_files_bytes", float(room), point, detail)


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The largest deleted files and the processes that have them open."""
    _, held = _held_by_server(session)
    largest = sorted(held, key=lambda each: -each.bytes)[:_MOST_SHOWN]
    yield Exhibit(
        Text("Deleted files still open"),
        headings("pid", "size", "path"),
        tuple((str(each.pid), written(each.bytes, "bytes"), each.path) for each in largest),
        note=LARGEST_OF_ALL.format(shown=len(largest), all=len(held)),
    )


def _held_by_server(session: Session) -> tuple[str, list[Held]]:
    """The volume of the data directory, and every deleted file the server has open."""
    require_here(session.target)
    data = paths_seen_elsewhere(session).get("data", "")
    if not data:
        raise ProbeError(
            FailureKind.UNSUPPORTED,
            Text("the data directory is not known"),
        )

    def place(path: str, mount: Mounted) -> tuple[str, tuple[int, int]]:
        found = os.stat(path)
        return mount.point, (found.st_dev, found.st_ino)

    engine = session.target.engine
    try:
        volume, home = SHARED.at(data, _seconds(), place)
        # Open files may be on any mount, even a dead one; that must not block the data mount.
        held = SHARED.run(
            f"the open files of {session.target.name}",
            _seconds(),
            lambda: held_by(processes(engine), home),
        )
    except (StuckError, FailingError, OSError) as error:
        # ``volumes`` reports an unreadable data directory, with its severity.
        said = Text("{data} cannot be looked at: {error}", data=data, error=error)
        raise ProbeError(FailureKind.UNSUPPORTED, said) from error
    return volume, held


def _seconds() -> float:
    return min(SECONDS_PER_LOOK, deadline.remaining() / 2)


def processes(engine: str, proc: Path = PROC) -> list[Process]:
    """Every process of this engine on the host, by its name."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if (folder / "comm").read_text().strip() not in SERVER_NAMES.get(engine, ()):
                continue
        except OSError:
            continue  # ended meanwhile
        with suppress(FileNotFoundError):  # ended, or a zombie: it holds no file any more
            found.append(Process(int(folder.name), _stands_in(folder)))
    return found


def _stands_in(folder: Path) -> tuple[int, int] | None:
    try:
        place = os.stat(folder / "cwd")
    except PermissionError:
        return None
    return place.st_dev, place.st_ino


def held_by(candidates: list[Process], home: tuple[int, int], proc: Path = PROC) -> list[Held]:
    """The deleted files of those processes whose working directory is the data directory ``home``.

    That is true for both engines. Raises ``ProbeError``: UNSUPPORTED when there is no such process,
    BLIND when there are some and none of them may be read.
    """
    ours = [each.pid for each in candidates if each.directory == home]
    if not ours:
        if any(each.directory is None for each in candidates):
            raise _may_not_look()
        raise ProbeError(
            FailureKind.UNSUPPORTED,
            Text("no process of this server runs on this host"),
        )
    held: dict[tuple[str, int], Held] = {}
    refused = 0
    for pid in ours:
        try:
            for each in deleted_of(pid, proc):
                held.setdefault((each.device, each.inode), each)
        except PermissionError:
            refused += 1
        except OSError:
            continue  # ended meanwhile
    if refused == len(ours):
        raise _may_not_look()
    return list(held.values())


def deleted_of(pid: int, proc: Path = PROC) -> Iterable[Held]:
    """The deleted files one process has open; raises ``OSError`` when it may not be read.

    Memory that only looks like a file (memfd, shared segments, io_uring) uses no volume and is left
    out.
    """
    folder = proc / str(pid) / "fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(folder / name)
            if not target.endswith(_DELETED) or target.startswith(("/memfd:", "/dev/")):
                continue
            facts = os.stat(folder / name)
        except FileNotFoundError:
            continue  # closed meanwhile
        device = f"{os.major(facts.st_dev)}:{os.minor(facts.st_dev)}"
        path = target.removesuffix(_DELETED)
        yield Held(path, pid, device, facts.st_ino, facts.st_blocks * 512)


def _may_not_look() -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        Text("the agent may not see which files the server's processes hold open"),
        Text(
            "Put deploy/host.conf into /etc/systemd/system/sigap.service.d/ "
            "(AmbientCapabilities=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH), or turn this question off: "
            "probes: {deleted_files: {enabled: false}}"
        ),
    )


PROBE = Probe(
    name="deleted_files",
    engine="host",
    question=Text("Does the server hold deleted files that still take room?"),
    measures=(
        Measure(
            "deleted_files_bytes",
            "bytes",
            "Space used by deleted files that the server still has open.",
            "volume",
        ),
    ),
    thresholds=(
        Threshold(
            "deleted_files_bytes",
            Text(
                "{target}: {value} on volume {subject} is taken by {files} deleted files still "
                "open (largest {largest}, pid {pid})"
            ),
            Text(
                "The room comes back when the process closes the file: end the session that "
                "holds it (PostgreSQL: `SELECT pg_terminate_backend({pid});`), rotate the log "
                "(pg_rotate_logfile, FLUSH LOGS), or plan a restart."
            ),
            "volume",
            # Sorts and temporary tables normally have unlinked files of some megabytes open;
            # ten gigabytes for half an hour are lost disk space.
            warning=10e9,
            raise_after=6,
            clear_margin=0.2,
            headline=Text(
                "{target}: deleted files that are still open take room on volume {subject}"
            ),
        ),
    ),
    read=read,
    exhibits=exhibits,
    every=300.0,
    runbook=Text(
        "1. `lsof +L1` on the host. 2. Find the session that holds it and ask the application's "
        "owner. 3. End that session or rotate the log."
    ),
)
