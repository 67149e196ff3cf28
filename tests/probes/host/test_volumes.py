"""Each volume is reported once, with its contents; an unreadable path is always reported."""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from probes import Address, FailureKind, Measurement, ProbeError, Target
from probes.host.seen import TargetVolumes, look_at, paths_of
from probes.host.volumes import PROBE, measurements, room_ratio
from probes.local.mounts import Mounts, Volume
from probes.model import Memory
from probes.postgresql.connection.connect import open_session
from probes.runner import HostView
from probes.wire import deadline
from tests.servers import postgresql
from tests.support.words import both

IS_ROOT = os.geteuid() == 0
MB = 1_000_000


def target(
    host: str = "db01", volumes: Mapping[str, str] | None = None, engine: str = "postgresql"
) -> Target:
    address = Address("127.0.0.1", 5432, "sigap")
    return Target("t", engine, address, host=host, volumes=volumes or {})


def read(paths: Mapping[str, str], host: str = "db01") -> dict[tuple[str, str], Measurement]:
    with deadline.within(10):
        found = list(PROBE.read(HostView(target(host), paths, Memory())))
    return {(m.measure, m.subject): m for m in found}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A volume of 16 MB that is really one: a tmpfs of our own."""
    if not IS_ROOT:
        pytest.fail("this test mounts a tmpfs: run it as root, or leave it out with -m 'not root'")
    place = tmp_path / "kecil"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=100,mode=0755", "sigap"]
    subprocess.run([*mounting, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.root
def test_a_volume_that_fills_is_measured_as_it_fills(small: Path) -> None:
    empty = read({"data": str(small)})
    mount = str(small)
    assert empty["volume_room_ratio", mount].value > 0.9
    assert empty["volume_size_bytes", mount].value == 16 * 1024 * 1024
    (small / "isi").write_bytes(b"\0" * (16 * 1024 * 1024 - 500_000))
    full = read({"data": str(small)})
    assert full["volume_room_ratio", mount].value < 0.05
    assert full["volume_free_bytes", mount].value < 500_000
    assert full["volume_free_inodes_ratio", mount].value > 0.9
    assert full["volume_room_ratio", mount].detail["holds"] == "data"
    assert full["volume_room_ratio", mount].detail["fill"] == both("hampir penuh", "nearly full")
    with pytest.raises(OSError, match="No space left"):
        (small / "sisa").write_bytes(b"\0" * MB)
    assert read({"data": str(small)})["volume_room_ratio", mount].detail["fill"] == both(
        "penuh", "full"
    )
    (small / "isi").unlink()
    assert read({"data": str(small)})["volume_room_ratio", mount].value > 0.9


@pytest.mark.root
def test_inodes_run_out_apart_from_bytes(small: Path) -> None:
    for number in range(98):
        (small / str(number)).touch()
    found = read({"data": str(small)})
    assert found["volume_free_inodes_ratio", str(small)].value < 0.02
    assert found["volume_free_ratio", str(small)].value > 0.9


@pytest.mark.root
def test_a_read_only_volume_is_said(small: Path) -> None:
    assert read({"data": str(small)})["volume_read_only", str(small)].value == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    assert read({"data": str(small)})["volume_read_only", str(small)].value == 1


@pytest.mark.root
def test_wal_behind_a_link_is_its_own_volume_and_shared_paths_are_one(
    small: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "log").mkdir(parents=True)
    (data / "pg_wal").symlink_to(small)
    paths = {"data": str(data), "log": str(data / "log"), "wal": str(data / "pg_wal")}
    found = read(paths)
    holds = {
        subject: m.detail["holds"]
        for (measure, subject), m in found.items()
        if measure == "volume_free_bytes"
    }
    assert len(holds) == 2
    assert holds.pop(str(small)) == "wal"
    assert set(holds.values()) == {"data, log"}


@pytest.mark.root
@pytest.mark.servers
def test_what_a_real_server_says_leads_to_its_real_volume(small: Path) -> None:
    with postgresql.single() as server:
        with deadline.within(10):
            session = open_session(server.target(), "test")
            paths = session.paths()
            session.close()
        server.stop()  # its volumes can still be looked at
        os.rename(server.data / "pg_wal", server.folder / "old_wal")
        (server.data / "pg_wal").symlink_to(small)
        found = read(paths)
        assert found["volume_free_bytes", str(small)].detail["holds"] == "wal"


@pytest.mark.root
def test_an_unreadable_pg_wal_is_said_and_not_guessed(tmp_path: Path) -> None:
    """As an ordinary user beside a data directory of mode 0700, the ordinary installation."""
    data = tmp_path / "data"
    (data / "pg_wal").mkdir(parents=True)
    data.chmod(0o700)
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    assert as_user("nobody", lambda: seen_of(data)) == "data:1 wal:0 holds:data"
    assert as_user("nobody", lambda: why_unseen(data)) == "may not be read by the agent"


def why_unseen(data: Path) -> str:
    """The words after the path of a WAL directory that cannot be seen."""
    with deadline.within(10):
        return look_at({"wal": f"{data}/pg_wal"}, Mounts()).unseen["wal"].reason.en


def seen_of(data: Path) -> str:
    """What is visible of a data directory and its WAL."""
    with deadline.within(10):
        seen = look_at({"data": str(data), "wal": f"{data}/pg_wal"}, Mounts())
    found = list(measurements(seen, "postgresql"))
    readable = [f"{m.subject}:{m.value:g}" for m in found if m.measure == "volume_path_readable"]
    holds = [f"holds:{m.detail['holds']}" for m in found if m.measure == "volume_free_bytes"]
    return " ".join(readable + holds)


_CAPABILITY_VERSION_3, _PR_SET_KEEPCAPS = 0x20080522, 8


def _keep(capabilities: Sequence[int]) -> None:
    """Of root's rights, after leaving root, only these (capset(2)): as systemd's ambient ones."""
    bits = sum(1 << each for each in capabilities)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    wanted = struct.pack("=6I", low, low, 0, high, high, 0)
    assert ctypes.CDLL(None, use_errno=True).capset(header, wanted) == 0, ctypes.get_errno()


def as_user(name: str, job: Callable[[], str], capabilities: Sequence[int] = ()) -> str:
    """Run ``job`` in a fork with that account's rights; this interpreter may be root's alone.

    ``capabilities`` (numbers of linux/capability.h) are what it keeps besides.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        entry = pwd.getpwnam(name)
        os.setgroups([])
        ctypes.CDLL(None).prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        try:
            _keep(capabilities)
            os.write(writing, job().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def test_a_server_on_another_host_is_not_looked_for_here() -> None:
    with pytest.raises(ProbeError) as caught:
        read({"data": "/"}, host="")
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED


def test_a_data_directory_that_is_not_here_is_blind_with_the_line_that_mends_it() -> None:
    with pytest.raises(ProbeError) as caught:
        read({"data": "/tidak/ada", "wal": "/"})
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "volumes: {data: /mount/point}" in caught.value.failure.hint.en
    assert "volumes: {data: /titik/kait}" in caught.value.failure.hint.id


def test_not_knowing_any_path_is_blind_and_not_ok() -> None:
    with pytest.raises(ProbeError) as caught:
        read({})
    assert caught.value.failure.kind is FailureKind.BLIND


def test_paths_told_by_hand_count_besides_the_servers_own() -> None:
    with deadline.within(10):
        view = HostView(target(volumes={"arsip": "/"}), {"data": "/"}, Memory())
        found = {(m.measure, m.subject): m for m in PROBE.read(view)}
    assert found["volume_free_bytes", "/"].detail["holds"] == "data, arsip"


def test_a_stuck_volume_is_said_beside_the_ones_that_answer(tmp_path: Path) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path.startswith("/dev/shm"):
            go.wait()
        return os.statvfs(path)

    go = threading.Event()
    try:
        with deadline.within(1):
            seen = look_at({"data": str(tmp_path), "wal": "/dev/shm"}, Mounts(statvfs))
    finally:
        go.set()
    found = {(m.measure, m.subject): m for m in measurements(seen, "postgresql")}
    assert found["volume_stuck", "/dev/shm"].value == 1
    assert found["volume_stuck", "/dev/shm"].detail["holds"] == "wal"
    assert [m.detail["holds"] for (name, _), m in found.items() if name == "volume_free_bytes"] == [
        "data"
    ]


@pytest.mark.parametrize(
    ("size", "free", "expected"),
    [
        (64 * MB, 3.2 * MB, 0.05),
        (100_000 * MB, 5_000 * MB, 0.05),
        (10_000_000 * MB, 500_000 * MB, 1.0),
        (10_000_000 * MB, 10_000 * MB, 0.05),
    ],
)
def test_a_large_volume_is_not_full_while_hundreds_of_gigabytes_are_free(
    size: float, free: float, expected: float
) -> None:
    volume = Volume("/v", 1, int(size), int(free), 0, 0, read_only=False)
    assert room_ratio(volume) == pytest.approx(expected)


def test_a_file_system_without_inodes_has_no_inode_measure() -> None:
    volume = Volume("/v", 1, 100, 50, 0, 0, read_only=False)
    found = {
        m.measure
        for m in measurements(TargetVolumes({"/v": (volume, ("data",))}, {}, {}, {}), "postgresql")
    }
    assert "volume_free_inodes_ratio" not in found


@pytest.mark.parametrize(("engine", "right"), [("postgresql", "pg_monitor"), ("mysql", "")])
def test_what_shows_where_the_files_are_is_said_of_the_servers_own_engine(
    engine: str, right: str
) -> None:
    with deadline.within(10), pytest.raises(ProbeError) as caught:
        paths_of(HostView(target(engine=engine), {}, Memory()))
    hint = caught.value.failure.hint
    for said, login in ((hint.id, "dapat masuk"), (hint.en, "can log in")):
        assert login in said and "volumes: {data: …}" in said
        assert ("pg_monitor" in said) == bool(right)
        assert "PostgreSQL" not in said


def test_where_backups_lie_is_no_volume_of_the_server(tmp_path: Path) -> None:
    with deadline.within(10):
        seen = paths_of(
            HostView(target(volumes={"backup": "/backup"}), {"data": str(tmp_path)}, Memory())
        )
    assert seen == {"data": str(tmp_path)}
