"""Is there room on the volumes that really hold the server's files?

Looks at where the server says it keeps data, WAL, logs and temporary files (and at what the
configuration adds), follows links to the volumes behind them, and reports each volume once. A
path that cannot be seen from here is said, never guessed: with a data directory of mode 0700 an
ordinary user cannot even tell where pg_wal leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes import deadline
from probes.host.mounts import Mounts, StuckError, Volume
from probes.model import (
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)
from probes.units import written

LARGE_BYTES = 200e9
"""Beyond this size a share of the volume stops meaning urgency: 5 % of 10 TB lasts for weeks."""

SECONDS_PER_LOOK = 2.0

_MOUNTS = Mounts()

_FIRST = ("data", "wal", "log", "temp", "tmp")


@dataclass(frozen=True, slots=True)
class Unseen:
    """A path that could not be looked at, and why."""

    path: str
    reason: Text


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found behind all paths of one target."""

    volumes: Mapping[str, tuple[Volume, tuple[str, ...]]]  # mount -> volume and what it holds
    unseen: Mapping[str, Unseen]  # purpose ->
    readable: Mapping[str, str]  # purpose -> path
    stuck: Mapping[str, tuple[float, tuple[str, ...]]]  # mount -> seconds and what it holds


def read(session: Session) -> Iterable[Measurement]:
    """Every volume once. Raises ``ProbeError``: UNSUPPORTED for a server on another host, BLIND
    when no path is known or the data directory cannot be seen from here.
    """
    target = session.target
    if not target.host:
        raise ProbeError(FailureKind.UNSUPPORTED, "the server does not run on the agent's host")
    paths = {**session.paths(), **target.volumes}
    if not paths:
        raise _nothing_known(target.name)
    seen = look_at(paths, _MOUNTS)
    if "data" in seen.unseen:
        raise _data_unseen(seen.unseen["data"])
    return tuple(measurements(seen))


def look_at(paths: Mapping[str, str], mounts: Mounts) -> Seen:
    """Look behind every path, data first; volumes on one device count once."""
    by_device: dict[int, tuple[Volume, list[str]]] = {}
    unseen: dict[str, Unseen] = {}
    readable: dict[str, str] = {}
    stuck: dict[str, tuple[float, list[str]]] = {}
    for purpose in sorted(paths, key=_order):
        path = paths[purpose]
        try:
            volume = mounts.look(path, min(SECONDS_PER_LOOK, deadline.remaining() / 2))
        except StuckError as error:
            stuck.setdefault(error.mount, (error.since_seconds, []))[1].append(purpose)
        except OSError as error:
            unseen[purpose] = Unseen(path, _why(error))
        else:
            readable[purpose] = path
            by_device.setdefault(volume.device, (volume, []))[1].append(purpose)
    return Seen(
        {volume.mount: (volume, tuple(holds)) for volume, holds in by_device.values()},
        unseen,
        readable,
        {mount: (seconds, tuple(holds)) for mount, (seconds, holds) in stuck.items()},
    )


def _order(purpose: str) -> tuple[int, str]:
    return (_FIRST.index(purpose) if purpose in _FIRST else len(_FIRST), purpose)


def _why(error: OSError) -> Text:
    if isinstance(error, PermissionError):
        return Text("tidak boleh dibaca agen", "the agent may not read it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Text("tidak ada di host ini", "does not exist on this host")
    return Text(f"{error.strerror}", f"{error.strerror}")


def _nothing_known(target: str) -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        "it is not known where the server keeps its files",
        Text(
            f"Beri akun pemantau pg_monitor (PostgreSQL), atau tulis volumes: {{data: …}} pada "
            f"target {target}.",
            f"Grant the monitoring account pg_monitor (PostgreSQL), or write volumes: "
            f"{{data: …}} at target {target}.",
        ),
    )


def _data_unseen(unseen: Unseen) -> ProbeError:
    return ProbeError(
        FailureKind.BLIND,
        f"the data directory {unseen.path} {unseen.reason.en}",
        _fix("data", unseen.path),
    )


def _fix(purpose: str, path: str) -> Text:
    return Text(
        f"Tulis volumes: {{{purpose}: /titik/kait}} pada target dengan direktori pada volume yang "
        f"sama yang boleh dibaca agen, atau beri agen akses ke {path} (PostgreSQL: initdb "
        f"--allow-group-access dan keanggotaan grup). Bila server ini di host lain atau dalam "
        f"kontainer, hapus host dari target.",
        f"Write volumes: {{{purpose}: /mount/point}} at the target, naming a directory on the "
        f"same volume that the agent may read, or give the agent access to {path} (PostgreSQL: "
        f"initdb --allow-group-access and membership of the group). If the server lives on "
        f"another host or in a container, take host off the target.",
    )


def measurements(seen: Seen) -> Iterable[Measurement]:
    """The numbers of everything seen, and a state for everything that was not."""
    for mount, (volume, holds) in seen.volumes.items():
        yield from _of_volume(mount, volume, ", ".join(holds))
    for mount, (seconds, holds) in seen.stuck.items():
        detail = {"holds": ", ".join(holds), "seconds": f"{seconds:.0f}"}
        yield Measurement("volume_stuck", 1.0, mount, detail)
    for purpose, path in seen.readable.items():
        yield Measurement("volume_path_readable", 1.0, purpose, {"path": path})
    for purpose, unseen in seen.unseen.items():
        detail_unseen = {
            "path": unseen.path,
            "reason": unseen.reason,
            "fix": _fix(purpose, unseen.path),
        }
        yield Measurement("volume_path_readable", 0.0, purpose, detail_unseen)


def _of_volume(mount: str, volume: Volume, holds: str) -> Iterable[Measurement]:
    detail: dict[str, object] = {
        "holds": holds,
        "free": written(volume.free_bytes, "bytes"),
        "size": written(volume.size_bytes, "bytes"),
    }
    yield Measurement("volume_size_bytes", float(volume.size_bytes), mount, detail)
    yield Measurement("volume_free_bytes", float(volume.free_bytes), mount, detail)
    if volume.size_bytes > 0:
        yield Measurement("volume_free_ratio", volume.free_bytes / volume.size_bytes, mount, detail)
        yield Measurement("volume_room_ratio", room_ratio(volume), mount, detail)
    if volume.inodes > 0:  # some file systems make inodes as they go
        ratio = volume.free_inodes / volume.inodes
        yield Measurement("volume_free_inodes_ratio", ratio, mount, detail)
    yield Measurement("volume_read_only", float(volume.read_only), mount, detail)
    yield Measurement("volume_stuck", 0.0, mount, detail)


def room_ratio(volume: Volume) -> float:
    """Free space as a share of the volume, or of ``LARGE_BYTES`` where that is smaller."""
    return min(1.0, volume.free_bytes / min(volume.size_bytes, LARGE_BYTES))


_FULL_HINT = Text(
    "Cari yang tumbuh: WAL yang tertahan slot atau arsip, log, berkas sementara, tabel. Jangan "
    "menghapus isi pg_wal atau binlog dengan tangan; perluas volume atau lepaskan penahannya.",
    "Find what grows: WAL kept by a slot or the archive, logs, temporary files, tables. Never "
    "delete from pg_wal or the binlogs by hand; enlarge the volume or release what holds them.",
)

PROBE = Probe(
    name="volumes",
    engine="host",
    question=Text(
        "Masih adakah ruang pada volume yang benar-benar memuat berkas server?",
        "Is there room on the volumes that really hold the server's files?",
    ),
    measures=(
        Measure("volume_size_bytes", "bytes", "Size of the volume.", "volume"),
        Measure("volume_free_bytes", "bytes", "Free for a process without privileges.", "volume"),
        Measure("volume_free_ratio", "ratio", "Free share of the volume.", "volume"),
        Measure(
            "volume_room_ratio",
            "ratio",
            "Free space as a share of the volume or of 200 GB, whichever is smaller; judged.",
            "volume",
        ),
        Measure("volume_free_inodes_ratio", "ratio", "Free share of the inodes.", "volume"),
        Measure("volume_read_only", "", "1 when the volume is mounted read only.", "volume"),
        Measure("volume_stuck", "", "1 when the mount does not answer.", "volume"),
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
            Text(
                "{target}: volume {subject} ({holds}) hampir penuh: {free} bebas dari {size}",
                "{target}: volume {subject} ({holds}) is nearly full: {free} free of {size}",
            ),
            _FULL_HINT,
            "volume",
            # 90 and 95 % used is the most common pair; counting at most 200 GB adds what is
            # learnt with large volumes, where it means 20 and 10 GB.
            warning=0.10,
            critical=0.05,
            above=False,
            clear_margin=0.2,
        ),
        Threshold(
            "volume_free_inodes_ratio",
            Text(
                "{target}: inode volume {subject} ({holds}) hampir habis: {value} bebas",
                "{target}: volume {subject} ({holds}) is nearly out of inodes: {value} free",
            ),
            Text(
                "Terlalu banyak berkas kecil: cari direktori dengan berkas terbanyak (log, "
                "sesi, antrean surel).",
                "Too many small files: find the directory with most of them (logs, sessions, "
                "mail queues).",
            ),
            "volume",
            warning=0.10,
            critical=0.02,
            above=False,
            clear_margin=0.2,
        ),
        Threshold(
            "volume_read_only",
            Text(
                "{target}: volume {subject} ({holds}) hanya-baca",
                "{target}: volume {subject} ({holds}) is read only",
            ),
            Text(
                "Kernel memasang ulang hanya-baca sesudah galat: baca dmesg, periksa perangkat, "
                "lalu fsck sebelum dipasang lagi.",
                "The kernel remounts read only after an error: read dmesg, check the device, and "
                "run fsck before mounting it again.",
            ),
            "volume",
            critical=1.0,
        ),
        Threshold(
            "volume_stuck",
            Text(
                "{target}: volume {subject} ({holds}) tidak menjawab",
                "{target}: volume {subject} ({holds}) does not answer",
            ),
            Text(
                "Penyimpanan menggantung (NFS, FUSE, multipath): periksa server penyimpanan dan "
                "dmesg; proses yang menyentuhnya akan berstatus D.",
                "The storage hangs (NFS, FUSE, multipath): check the storage server and dmesg; "
                "whatever touches it will be in state D.",
            ),
            "volume",
            critical=1.0,
            raise_after=2,
        ),
        Threshold(
            "volume_path_readable",
            Text(
                "{target}: volume {subject} tidak dapat dilihat: {path} {reason}",
                "{target}: the {subject} volume cannot be seen: {path} {reason}",
            ),
            Text("{fix}", "{fix}"),
            "blind",
            warning=0.0,
            above=False,
        ),
    ),
    read=read,
    runbook=Text(
        "1. df -h dan df -i pada volume itu. 2. Siapa yang tumbuh: pg_wal, log, berkas sementara, "
        "tabel. 3. Lepaskan penahan WAL (slot mati, arsip gagal). 4. Perluas volume.",
        "1. df -h and df -i on that volume. 2. What grows: pg_wal, logs, temporary files, tables. "
        "3. Release what holds WAL (a dead slot, a failing archive). 4. Enlarge the volume.",
    ),
)
