"""Free space on the volumes that hold the server's files.

Takes the directories that the server reports for data, WAL, logs and temporary files (and the
configuration's additions), follows links to the volumes behind them, and reports each volume once.
A path that cannot be read from here is reported, never guessed: with a data directory of mode 0700
an ordinary user cannot even see where pg_wal points to.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.host.seen import TargetVolumes, data_unseen, fix, look_at, paths_of
from probes.i18n.formats import duration
from probes.i18n.headings import headings
from probes.local.down_evidence import READ_ONLY
from probes.local.mounts import SHARED, Volume
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold, Words
from probes.words.tables import remarks
from probes.words.units import written

LARGE_BYTES = 200e9
"""Above this size a percentage no longer means urgency: 5 % of 10 TB lasts for weeks."""


def read(session: Session) -> Iterable[Measurement]:
    """Every volume once. Raises ``ProbeError``: UNSUPPORTED for a server on another host, BLIND
    when no path is known or the data directory cannot be read from here.
    """
    seen = look_at(paths_of(session), SHARED)
    if "data" in seen.unseen:
        raise data_unseen(seen.unseen["data"], session.target)
    return tuple(measurements(seen, session.target.engine))


def measurements(seen: TargetVolumes, engine: str) -> Iterable[Measurement]:
    """The figures of every volume found, and a state for every path that was not readable."""
    for mount, (volume, holds) in seen.volumes.items():
        yield from _of_volume(mount, volume, ", ".join(holds))
    for mount, (seconds, holds) in seen.stuck.items():
        detail = {"holds": ", ".join(holds), "seconds": f"{seconds:.0f}"}
        yield Measurement("volume_stuck", 1.0, mount, detail)
    for mount, (reason, holds) in seen.failing.items():
        yield Measurement(
            "volume_failing", 1.0, mount, {"holds": ", ".join(holds), "reason": reason}
        )
    for purpose, path in seen.readable.items():
        yield Measurement("volume_path_readable", 1.0, purpose, {"path": path})
    for purpose, unseen in seen.unseen.items():
        detail_unseen = {
            "path": unseen.path,
            "reason": unseen.reason,
            "fix": fix(purpose, unseen.path, engine),
        }
        yield Measurement("volume_path_readable", 0.0, purpose, detail_unseen)


def _of_volume(mount: str, volume: Volume, holds: str) -> Iterable[Measurement]:
    detail: dict[str, object] = {
        "holds": holds,
        "free": written(volume.free_bytes, "bytes"),
        "size": written(volume.size_bytes, "bytes"),
        "fill": _NEARLY if volume.free_bytes else _FULL,
    }
    yield Measurement("volume_size_bytes", float(volume.size_bytes), mount, detail)
    yield Measurement("volume_free_bytes", float(volume.free_bytes), mount, detail)
    if volume.size_bytes > 0:
        yield Measurement("volume_free_ratio", volume.free_bytes / volume.size_bytes, mount, detail)
        yield Measurement("volume_room_ratio", room_ratio(volume), mount, detail)
    if volume.inodes > 0:  # some file systems make inodes as they go
        ratio = volume.free_inodes / volume.inodes
        yield Measurement("volume_free_inodes_ratio", ratio, mount, detail)
    why = _BY_ITSELF if volume.after_an_error else _MOUNTED_SO
    yield Measurement("volume_read_only", float(volume.read_only), mount, {**detail, "why": why})
    yield Measurement("volume_stuck", 0.0, mount, detail)
    yield Measurement("volume_failing", 0.0, mount, detail)
    if volume.errors is not None:
        yield Measurement("volume_errors", float(volume.errors), mount, detail)


_FULL = Text("full")
_NEARLY = Text("nearly full")
_BY_ITSELF = Text("stopped taking writes after an error")
_MOUNTED_SO = Text("is read only")


_SILENT = Text("no answer for {time}")


def exhibits(session: Session) -> Iterable[Exhibit]:
    """df of every volume that holds files of this server, when the fault began."""
    seen = look_at(paths_of(session), SHARED)
    rows: list[tuple[Words, ...]] = [
        (
            mount,
            ", ".join(holds),
            written(volume.size_bytes, "bytes"),
            written(volume.free_bytes, "bytes"),
            written(volume.used_bytes, "bytes"),
            f"{volume.free_inodes} / {volume.inodes}" if volume.inodes else "-",
            READ_ONLY if volume.read_only else "ok",
        )
        for mount, (volume, holds) in seen.volumes.items()
    ]
    rows += [
        (mount, ", ".join(holds), "-", "-", "-", "-", _SILENT.format(time=duration(seconds)))
        for mount, (seconds, holds) in seen.stuck.items()
    ]
    rows += [
        (mount, ", ".join(holds), "-", "-", "-", "-", reason)
        for mount, (reason, holds) in seen.failing.items()
    ]
    unseen = [
        Text("{purpose}: {path} {why}", purpose=purpose, path=each.path, why=each.reason)
        for purpose, each in seen.unseen.items()
    ]
    yield Exhibit(
        Text("Volumes that hold the server's files"),
        headings("volume", "holds", "size", "free", "used", "free inodes", "state"),
        tuple(rows),
        note=remarks(*unseen),
    )


def room_ratio(volume: Volume) -> float:
    """Free space as a share of the volume, or of ``LARGE_BYTES`` where that is smaller."""
    return min(1.0, volume.free_bytes / min(volume.size_bytes, LARGE_BYTES))


_FULL_HINT = Text(
    "Find what grows: WAL kept by a slot or the archive, logs, temporary files, tables. Never "
    "delete from pg_wal or the binlogs by hand; enlarge the volume or release what holds them."
)

PROBE = Probe(
    name="volumes",
    engine="host",
    question=Text("Is there room on the volumes that really hold the server's files?"),
    measures=(
        Measure("volume_size_bytes", "bytes", "Size of the volume.", "volume"),
        Measure("volume_free_bytes", "bytes", "Free space for an unprivileged process.", "volume"),
        Measure("volume_free_ratio", "ratio", "Free share of the volume.", "volume"),
        Measure(
            "volume_room_ratio",
            "ratio",
            "Free space as a share of the volume or of 200 GB, whichever is smaller; judged.",
            "volume",
        ),
        Measure("volume_free_inodes_ratio", "ratio", "Free share of the inodes.", "volume"),
        Measure("volume_read_only", "", "1 when the file system takes no writes.", "volume"),
        Measure("volume_stuck", "", "1 when the mount does not answer.", "volume"),
        Measure("volume_failing", "", "1 when the mount answers with a device error.", "volume"),
        Measure(
            "volume_errors",
            "",
            "Errors the file system has recorded since its last fsck.",
            "volume",
        ),
        Measure(
            "volume_path_readable",
            "",
            "1 when the agent can see which volume holds the path.",
            "purpose",
        ),
    ),
    thresholds=(
        Threshold(
            "volume_room_ratio",
            Text("{target}: volume {subject} ({holds}) is {fill}: {free} free of {size}"),
            _FULL_HINT,
            "volume",
            # 90 and 95 % used is the most common pair; counting at most 200 GB adjusts it for
            # large volumes, where it means 20 and 10 GB.
            warning=0.10,
            critical=0.05,
            above=False,
            clear_margin=0.2,
            headline=Text("{target}: volume {subject} ({holds}) is running out of room"),
        ),
        Threshold(
            "volume_free_inodes_ratio",
            Text("{target}: volume {subject} ({holds}) is nearly out of inodes: {value} free"),
            Text(
                "Too many small files: find the directory with most of them (logs, sessions, "
                "mail queues)."
            ),
            "volume",
            warning=0.10,
            critical=0.02,
            above=False,
            clear_margin=0.2,
            headline=Text("{target}: volume {subject} ({holds}) is nearly out of inodes"),
        ),
        Threshold(
            "volume_read_only",
            Text("{target}: volume {subject} ({holds}) {why}"),
            Text(
                "The kernel remounts read only after an error: read `dmesg`, check the device, "
                "and run fsck before mounting it again."
            ),
            "volume",
            critical=1.0,
        ),
        Threshold(
            "volume_stuck",
            Text("{target}: volume {subject} ({holds}) does not answer"),
            Text(
                "The storage hangs (NFS, FUSE, multipath): check the storage server and `dmesg`; "
                "whatever touches it will be in state D."
            ),
            "volume",
            critical=1.0,
            raise_after=2,
        ),
        Threshold(
            "volume_failing",
            Text("{target}: volume {subject} ({holds}) fails: {reason}"),
            Text(
                "The device or the storage server is gone or broken: read `dmesg`, check the "
                "disk (smartctl), the RAID or multipath. Never run fsck on what is mounted."
            ),
            "volume",
            critical=1.0,
        ),
        Threshold(
            "volume_errors",
            Text(
                "{target}: the file system of volume {subject} ({holds}) has recorded {value} "
                "errors"
            ),
            Text(
                "Read `dmesg` (EXT4-fs error), make sure there is a backup, then plan an fsck "
                "with the volume unmounted; only fsck wipes this record."
            ),
            "volume",
            warning=1.0,
            headline=Text(
                "{target}: the file system of volume {subject} ({holds}) has recorded errors"
            ),
        ),
        Threshold(
            "volume_path_readable",
            Text("{target}: the {subject} volume cannot be seen: {path} {reason}"),
            Text("{fix}"),
            "blind",
            warning=0.0,
            above=False,
        ),
    ),
    read=read,
    exhibits=exhibits,
    runbook=Text(
        "1. `df -h` and `df -i` on that volume. 2. What grows: pg_wal, logs, temporary files, "
        "tables. 3. Release what holds WAL (a dead slot, a failing archive). 4. Enlarge the "
        "volume."
    ),
)
