"""A dead mount blocks nothing: at most one thread waits for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probes.local.mountinfo import holder
from probes.local.mounts import Mounts, StuckError
from tests.servers.postgresql import until


class Stuck:
    """A statvfs that blocks until it is released, as on a dead NFS mount."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()

    def __call__(self, path: str) -> os.statvfs_result:
        self.asked += 1
        self.go.wait()
        return os.statvfs(path)


@contextmanager
def stuck() -> Iterator[Stuck]:
    """Releases blocked threads, also when the test fails."""
    one = Stuck()
    try:
        yield one
    finally:
        one.go.set()


def test_the_volume_behind_a_link_is_the_one_reported(tmp_path: Path) -> None:
    (tmp_path / "pg_wal").symlink_to("/dev/shm")
    (tmp_path / "again").symlink_to("pg_wal/../shm")
    mounts = Mounts()
    direct = mounts.look("/dev/shm", 5)
    assert mounts.look(str(tmp_path / "pg_wal"), 5).mount == "/dev/shm" == direct.mount
    assert mounts.look(str(tmp_path / "again"), 5).device == direct.device
    seen = os.statvfs("/dev/shm")
    assert direct.size_bytes == seen.f_blocks * seen.f_frsize


def test_free_space_is_what_an_ordinary_process_may_use(tmp_path: Path) -> None:
    volume = Mounts().look(str(tmp_path), 5)
    seen = os.statvfs(tmp_path)
    # Others write to this disk too, so only the root reserve can be checked.
    reserve = (seen.f_bfree - seen.f_bavail) * seen.f_frsize
    assert volume.free_bytes <= seen.f_bfree * seen.f_frsize - reserve / 2


def test_a_missing_path_and_a_ring_of_links_are_said(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(FileNotFoundError):
        Mounts().look(str(tmp_path / "tidak-ada"), 5)
    with pytest.raises(OSError, match="symbolic links"):
        Mounts().look(str(tmp_path / "a"), 5)


def test_a_stuck_mount_ends_by_the_deadline_and_is_not_asked_again(tmp_path: Path) -> None:
    with stuck() as statvfs:
        mounts = Mounts(statvfs)
        threads = threading.active_count()
        started = time.monotonic()
        with pytest.raises(StuckError):
            mounts.look(str(tmp_path), 0.2)
        assert 0.2 <= time.monotonic() - started < 0.7
        for _ in range(200):
            with pytest.raises(StuckError):
                mounts.look(str(tmp_path), 5)
        assert time.monotonic() - started < 2
        assert statvfs.asked == 1
        assert threading.active_count() == threads + 1
        statvfs.go.set()
        until(lambda: _answers(mounts, tmp_path), "the mount answering again")
        until(lambda: threading.active_count() == threads, "the abandoned thread ending")


def _answers(mounts: Mounts, path: Path) -> bool:
    try:
        mounts.look(str(path), 5)
    except StuckError:
        return False
    return True


def test_a_stuck_mount_does_not_hold_up_another(tmp_path: Path) -> None:
    with stuck() as statvfs:
        other = "/dev/shm"
        choosing: Callable[[str], os.statvfs_result] = lambda path: (  # noqa: E731 - two lines of choice
            os.statvfs(path) if path.startswith(other) else statvfs(path)
        )
        mounts = Mounts(choosing)
        with pytest.raises(StuckError) as caught:
            mounts.look(str(tmp_path), 0.1)
        assert caught.value.mount != other
        assert mounts.look(other, 5).mount == other


def test_two_threads_may_look_at_one_healthy_mount(tmp_path: Path) -> None:
    mounts, failed = Mounts(), []

    def look() -> None:
        try:
            for _ in range(50):
                mounts.look(str(tmp_path), 10)
        except StuckError as error:
            failed.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_longest_mount_point_holds_a_path() -> None:
    points = frozenset({"/", "/srv", "/srv/pg"})
    assert holder("/srv/pg/data", points) == "/srv/pg"
    assert holder("/srv/pgx", points) == "/srv"
    assert holder("/var", points) == "/"
