"""A FUSE mount that can be made to hang, like one whose storage server is gone.

``statvfs`` on such a mount blocks for ever. Every request waits while it is stuck; no other process
sees the mount, because it exists only in the namespace of ``own_mounts``. Needs root and /dev/fuse.
Source: <linux/fuse.h>, protocol 7.31.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS, <linux/sched.h>
_PRIVATE, _EVERYTHING_BELOW = 1 << 18, 1 << 14  # MS_PRIVATE, MS_REC, <linux/mount.h>
_NO_SUID, _NO_DEVICES = 2, 4  # MS_NOSUID, MS_NODEV
_DETACH = 2  # MNT_DETACH

_DEVICE = "/dev/fuse"
_LONGEST_REQUEST = 1 << 17  # at least 8 KiB (FUSE_MIN_READ_BUFFER)
_IN, _OUT = struct.Struct("=IIQQIIII"), struct.Struct("=IiQ")  # fuse_in_header, fuse_out_header
_FORGET, _GETATTR, _STATFS, _INIT, _INTERRUPT, _BATCH_FORGET = 2, 3, 17, 26, 36, 42
_WITHOUT_ANSWER = frozenset({_FORGET, _INTERRUPT, _BATCH_FORGET})

_MAJOR, _MINOR, _LONGEST_WRITE = 7, 31, 4096
_STARTED = struct.pack("=IIIIHHIIHHI28x", _MAJOR, _MINOR, 0, 0, 12, 9, _LONGEST_WRITE, 1, 0, 0, 0)
_BLOCKS, _FREE, _BLOCK_BYTES = 1 << 20, 1 << 19, 4096
_ROOM = struct.pack(
    "=QQQQQIIII24x", _BLOCKS, _FREE, _FREE, 1000, 999, _BLOCK_BYTES, 255, _BLOCK_BYTES, 0
)
_ROOT = struct.pack(
    "=QII" + "6Q" + "10I",
    *(0, 0, 0),  # remember nothing: ask every time
    *(1, 0, 0, 0, 0, 0),
    *(0, 0, 0, stat.S_IFDIR | 0o755, 2, 0, 0, 0, _BLOCK_BYTES, 0),
)
_ANSWERS = {_INIT: _STARTED, _GETATTR: _ROOT, _STATFS: _ROOM}


def _libc(call: str, *arguments: int | bytes | None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}; a mount of its own needs root")


def own_mounts() -> None:
    """Give this thread and its children a mount namespace of their own.

    Permanently: a thread can go back only while no other thread shares its working directory.
    """
    _libc("unshare", _NEW_MOUNTS)
    _libc("mount", None, b"/", None, _PRIVATE | _EVERYTHING_BELOW, None)


class StuckMount:
    """An empty file system of 4 GiB, half full, that can be made to stop answering."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._answering = threading.Event()
        self._answering.set()
        self._device = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0".encode()
        try:
            where = os.fsencode(place)
            _libc("mount", b"sigap-bench", where, b"fuse", _NO_SUID | _NO_DEVICES, options)
        except OSError:
            os.close(self._device)
            raise
        threading.Thread(target=self._serve, name="stuck mount", daemon=True).start()

    def hang(self) -> None:
        """Whatever touches it from now on waits."""
        self._answering.clear()

    def heal(self) -> None:
        """All that waited is answered."""
        self._answering.set()

    def close(self) -> None:
        """Answer what waits, and be gone; the device is closed by the thread that reads it."""
        self.heal()
        _libc("umount2", os.fsencode(self.place), _DETACH)

    def _serve(self) -> None:
        """Until the mount is gone (ENODEV)."""
        try:
            with suppress(OSError):
                while True:
                    request = os.read(self._device, _LONGEST_REQUEST)
                    self._answering.wait()
                    self._answer(request)
        finally:
            os.close(self._device)

    def _answer(self, request: bytes) -> None:
        _, question, number, *_ = _IN.unpack_from(request)
        if question in _WITHOUT_ANSWER:
            return
        body = _ANSWERS.get(question, b"")
        error = 0 if body else -errno.ENOSYS
        with suppress(FileNotFoundError):  # who asked has gone away meanwhile
            os.write(self._device, _OUT.pack(_OUT.size + len(body), error, number) + body)


@contextmanager
def stuck_mount(place: Path) -> Iterator[StuckMount]:
    """A mount at ``place``, made now and gone afterwards."""
    place.mkdir()
    mount = StuckMount(place)
    try:
        yield mount
    finally:
        mount.close()
