"""Volumes with real faults: ext4 after an error, a dead mount, a crashed one, a read-only mount."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from probes.host.volumes import PROBE, exhibits
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline
from tests.probes.host.places import crashed_mount, dead_mount, ext4, mounted
from tests.probes.host.test_volumes import read, target
from tests.servers.machine import until
from tests.support.evidence import all_told

pytestmark = pytest.mark.root


def test_an_ext4_that_stopped_taking_writes_is_said_although_statvfs_says_nothing(
    tmp_path: Path,
) -> None:
    with ext4(tmp_path) as (place, device):
        before = read({"data": str(place)})
        assert before["volume_read_only", str(place)].value == 0
        assert before["volume_errors", str(place)].value == 0
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("percobaan")
        until(lambda: not writable(place), "the file system refusing writes")
        after = read({"data": str(place)})
        assert after["volume_read_only", str(place)].value == 1
        assert after["volume_errors", str(place)].value == 1


def writable(place: Path) -> bool:
    try:
        (place / "coba").touch()
    except OSError:
        return False
    return True


def test_a_read_only_view_of_a_healthy_volume_is_not_read_only(tmp_path: Path) -> None:
    """As inside a unit with ProtectSystem=strict: the mount is ro, the file system is healthy."""
    real, view = tmp_path / "nyata", tmp_path / "pandangan"
    with mounted(real, "-t", "tmpfs", "sigap"), mounted(view, "--bind", str(real)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(view)], check=True)
        assert os.statvfs(view).f_flag & os.ST_RDONLY
        assert read({"data": str(view)})["volume_read_only", str(view)].value == 0


def test_the_root_reserve_counts_neither_as_free_nor_as_used(tmp_path: Path) -> None:
    with ext4(tmp_path) as (place, _):
        seen = os.statvfs(place)
        found = read({"data": str(place)})["volume_free_bytes", str(place)]
        assert seen.f_bfree > seen.f_bavail
        assert found.value == seen.f_bavail * seen.f_frsize


def test_a_dead_mount_is_said_within_the_deadline_and_leaks_nothing(tmp_path: Path) -> None:
    threads, place = threading.active_count(), tmp_path / "mati"
    with dead_mount(place):
        for rounds in range(100):
            started = time.monotonic()
            found = read({"data": "/", "wal": str(place)})
            spent = time.monotonic() - started
            assert found["volume_stuck", str(place)].value == 1
            assert found["volume_free_bytes", "/"].detail["holds"] == "data"
            # The first access waits for two seconds; a mount known as dead is not waited for.
            assert spent < (4 if rounds == 0 else 1)
        assert threading.active_count() == threads + 1
        shown = list(view_of({"data": "/", "wal": str(place)}))
        assert "no answer" in " ".join(shown)
    until(lambda: threading.active_count() == threads, "the one waiting thread ending")


def view_of(paths: dict[str, str]) -> list[str]:
    with deadline.within(10):
        (table,) = all_told(exhibits(HostView(target(), paths, Memory())))
    return [cell for row in table.rows for cell in row]


def test_a_mount_whose_server_crashed_is_a_failing_volume_and_not_a_missing_path(
    tmp_path: Path,
) -> None:
    place = tmp_path / "putus"
    place.mkdir()
    with crashed_mount(place):
        found = read({"data": "/", "wal": str(place)})
    assert found["volume_failing", str(place)].value == 1
    assert "not connected" in str(found["volume_failing", str(place)].detail["reason"])
    assert ("volume_path_readable", "wal") not in found


def test_every_measure_that_may_come_is_declared() -> None:
    assert {m.measure for m in read({"data": "/"}).values()} <= {m.name for m in PROBE.measures}
