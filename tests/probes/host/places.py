"""Real volumes for tests: tmpfs, ext4 on a loop device, a dead mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.mariadb import binary

IS_ROOT = os.geteuid() == 0


def require_root() -> None:
    """Fail, loudly, where mounting is not allowed."""
    if not IS_ROOT:
        pytest.fail("this test mounts volumes: run it as root, or leave it out with -m 'not root'")


@contextmanager
def mounted(place: Path, *arguments: str, fds: tuple[int, ...] = ()) -> Iterator[Path]:
    """``mount arguments place``, unmounted afterwards."""
    require_root()
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(place)], check=True, pass_fds=fds)
    try:
        yield place
    finally:
        # lazily: a mount that is stuck, or still held open, must not outlive its test
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def ext4(folder: Path, megabytes: int = 32) -> Iterator[tuple[Path, str]]:
    """An ext4 of its own and the name of its block device, as in /sys/fs/ext4."""
    require_root()
    image = folder / "ext4.img"
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    subprocess.run([binary("mkfs.ext4", "e2fsprogs"), "-q", str(image)], check=True)
    losetup = binary("losetup", "mount")
    made = subprocess.run(
        [losetup, "-f", "--show", str(image)], check=True, capture_output=True, text=True
    )
    device = made.stdout.strip()
    try:
        with mounted(folder / "ext4", "-o", "errors=remount-ro", device) as place:
            yield place, Path(device).name
    finally:
        subprocess.run([losetup, "-d", device], check=True)


@contextmanager
def dead_mount(place: Path) -> Iterator[Path]:
    """A FUSE mount whose file system never answers, like NFS with a dead server.

    No process reads the other end of /dev/fuse, so every access to the mount blocks until that end
    is closed; then it fails with ENOTCONN, like a mount whose daemon crashed.
    """
    require_root()
    end = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={end},rootmode=40000,user_id=0,group_id=0"
        with mounted(place, "-i", "-t", "fuse", "-o", options, "sigap-dead", fds=(end,)):
            try:
                yield place
            finally:
                os.close(end)
                end = -1
    finally:
        if end >= 0:
            os.close(end)


@contextmanager
def crashed_mount(place: Path) -> Iterator[Path]:
    """A FUSE mount whose daemon has gone: every look fails with ENOTCONN."""
    require_root()
    end = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={end},rootmode=40000,user_id=0,group_id=0"
    try:
        subprocess.run(
            ["mount", "-i", "-t", "fuse", "-o", options, "sigap-gone", str(place)],
            check=True, pass_fds=(end,),
        )  # fmt: skip
    finally:
        os.close(end)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
