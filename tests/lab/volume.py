"""A small separate volume, so that a full disk is real but harmless."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.machine import ordinary_user

BALLAST = "cadangan-lama.dump"


class Volume:
    """A tmpfs at ``path`` that already held files, which are still there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def full(self) -> Iterator[None]:
        """A file fills the volume to the last byte."""
        ballast = self.path / BALLAST
        try:
            with ballast.open("wb", buffering=0) as file:
                for block in (1 << 20, 1 << 12):
                    _write_until_full(file.fileno(), bytes(block))
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def without_inodes(self) -> Iterator[None]:
        """Thousands of tiny files, and room enough."""
        place = self.path / "sesi"
        place.mkdir()
        try:
            number = 0
            with pytest.raises(OSError, match="No space left"):
                while True:
                    (place / str(number)).touch()
                    number += 1
            yield
        finally:
            shutil.rmtree(place)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As after an error; no file may be open for writing there."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)


def _write_until_full(file: int, block: bytes) -> None:
    while True:
        try:
            os.write(file, block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Volume | None]:
    """``folder`` with its content becomes a small volume; None where mounting is forbidden."""
    if os.geteuid() != 0:
        yield None
        return
    kept = folder.with_name(f"{folder.name}-lama")
    folder.rename(kept)
    folder.mkdir(mode=0o700)
    what = f"size={megabytes}m,nr_inodes=2000,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", what, "sigap-lab", str(folder)], check=True)
    try:
        owner = pwd.getpwnam(ordinary_user() or "nobody")
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        yield Volume(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def needed(volume: Volume | None) -> Volume:
    """The volume; fails the test, saying how to get it, where there is none."""
    if volume is None:
        pytest.fail("this mounts a small volume: run as root, or leave it out with -m 'not root'")
    return volume
