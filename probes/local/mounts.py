"""Finds the mount of a path and its free space without blocking on a dead mount.

``statvfs``, ``readlink`` and any other access to a stuck NFS or FUSE mount can block for ever,
beyond any signal. Each access therefore runs in a thread that belongs to one mount; a mount has at
most one such thread, and while it is stuck the mount is not accessed again. Mount points are taken
from /proc/self/mountinfo alone (proc(5)), and a path is followed component by component, so that
finding the right mount never touches another one.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from probes.local.mountinfo import Mounted, errors_recorded, holder, mounted

T = TypeVar("T")

_MOST_LINKS = 40  # as the kernel itself allows

_FAILING = frozenset(
    {errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ESHUTDOWN, errno.EUCLEAN, errno.ENODEV}
)
"""Errors of a device or a storage server that is gone; a missing path has others."""


class StuckError(Exception):
    """A mount does not answer."""

    def __init__(self, mount: str, since_seconds: float) -> None:
        super().__init__(f"{mount} does not answer")
        self.mount = mount
        self.since_seconds = since_seconds


class FailingError(Exception):
    """A mount answers, but with an error of its device or of its storage server."""

    def __init__(self, mount: str, error: OSError) -> None:
        super().__init__(f"{mount}: {error.strerror}")
        self.mount = mount
        self.reason = error.strerror or str(error)


@dataclass(frozen=True, slots=True)
class Volume:
    """The state of one volume.

    ``free_bytes`` and ``free_inodes`` are what an unprivileged process may use; the root reserve
    counts neither as free nor as used.
    """

    mount: str
    device: int
    size_bytes: int
    free_bytes: int
    inodes: int
    free_inodes: int
    read_only: bool  # the file system itself takes no writes
    used_bytes: int = 0
    errors: int | None = None  # recorded by the file system itself; None: it keeps no record
    after_an_error: bool = False  # read only by the file system's own decision


class _Gate:
    """Lock of one mount: only its holder may access the mount."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.stuck_since: float | None = None


class Mounts:
    """Accesses volumes through one bounded thread per mount. Thread-safe."""

    def __init__(self, statvfs: Callable[[str], os.statvfs_result] = os.statvfs) -> None:
        self._statvfs = statvfs
        self._gates: dict[str, _Gate] = {}
        self._lock = threading.Lock()

    def look(self, path: str, seconds: float) -> Volume:
        """The volume that holds ``path``, symbolic links followed.

        Raises ``StuckError`` when a mount on the way does not answer within ``seconds``,
        ``FailingError`` when one returns an error of its device, ``OSError`` when the path does not
        exist or is not readable.
        """
        return self.at(path, seconds, self._measure)

    def at(self, path: str, seconds: float, job: Callable[[str, Mounted], T]) -> T:
        """The result of ``job(path, mount)``, run in the thread of the mount that holds ``path``.

        ``job`` gets the path with its links followed, and must not access other mounts.
        Raises as ``look`` does, and what ``job`` raises.
        """
        end = time.monotonic() + seconds
        table = mounted()
        points = frozenset(table)
        step = _Walk("/", _parts(path), 0, points)
        while True:
            try:
                found = self._on(step.mount, partial(_advance, step, table, job), end)
            except OSError as error:
                if error.errno in _FAILING:
                    raise FailingError(step.mount, error) from error
                raise
            if found is not None:
                return found[0]
            step = _Walk(step.at, step.rest, step.links, points)

    def run(self, name: str, seconds: float, job: Callable[[], T]) -> T:
        """The result of ``job``, run under a separate lock called ``name``.

        For work that belongs to no single mount, such as reading the open files of a process.
        Raises ``StuckError`` when it does not end in time, and what ``job`` raises.
        """
        return self._on(name, job, time.monotonic() + seconds)

    def _measure(self, path: str, mount: Mounted) -> Volume:
        seen = self._statvfs(path)
        return Volume(
            mount=mount.point,
            device=os.stat(path).st_dev,
            size_bytes=seen.f_blocks * seen.f_frsize,
            free_bytes=seen.f_bavail * seen.f_frsize,
            inodes=seen.f_files,
            free_inodes=seen.f_favail,
            read_only=mount.takes_no_writes,
            used_bytes=(seen.f_blocks - seen.f_bfree) * seen.f_frsize,
            errors=errors_recorded(mount.device),
            after_an_error=mount.after_an_error,
        )

    def _on(self, mount: str, job: Callable[[], T], end: float) -> T:
        """Run ``job`` in the mount's thread, or give up on it by ``end``."""
        with self._lock:
            gate = self._gates.setdefault(mount, _Gate())
        since = gate.stuck_since
        if since is not None:
            raise StuckError(mount, time.monotonic() - since)
        if not gate.turn.acquire(timeout=max(0.0, end - time.monotonic())):
            raise StuckError(mount, 0.0)
        answer: Future[T] = Future()
        ended = False

        def work() -> None:
            nonlocal ended
            try:
                answer.set_result(job())
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                answer.set_exception(error)
            finally:
                with self._lock:
                    ended = True
                    gate.stuck_since = None
                    gate.turn.release()

        started = time.monotonic()
        threading.Thread(target=work, name=f"look at {mount}", daemon=True).start()
        try:
            return answer.result(max(0.0, end - time.monotonic()))
        except StillRunning:
            with self._lock:
                if not ended:
                    gate.stuck_since = started
            raise StuckError(mount, time.monotonic() - started) from None


def _advance(
    step: _Walk, table: Mapping[str, Mounted], job: Callable[[str, Mounted], T]
) -> tuple[T] | None:
    """Follow the path to the end of this mount; at the path's end, run the job."""
    return (job(step.at, table[step.mount]),) if step.arrives() else None


class _Walk:
    """Follows a path, component by component, as long as it stays on one mount."""

    def __init__(self, at: str, rest: list[str], links: int, points: frozenset[str]) -> None:
        self.at, self.rest = _nearest(at, rest, points)
        self.links = links
        self.mount = holder(self.at, points)
        self._points = points

    def arrives(self) -> bool:
        """Whether the path ends on this mount; if not, the walk continues on another."""
        while self.rest:
            part, *self.rest = self.rest
            following = os.path.dirname(self.at) if part == ".." else os.path.join(self.at, part)
            if part == ".." or following in self._points:
                self.at = following  # a directory for certain: no need to look
            else:
                self._follow(following)
            if holder(self.at, self._points) != self.mount:
                return False
        return True

    def _follow(self, path: str) -> None:
        try:
            target = os.readlink(path)
        except OSError as error:
            if error.errno != errno.EINVAL:  # there, and no link
                raise
            self.at = path
            return
        self.links += 1
        if self.links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            self.at = "/"
        self.rest = _parts(target) + self.rest


def _nearest(at: str, rest: list[str], points: frozenset[str]) -> tuple[str, list[str]]:
    """Start from the mount point farthest along the path.

    The kernel names mount points without links, so everything before one is a plain directory and
    need not be read; a dead mount on the way to a live one does not block.
    """
    found = (at, rest)
    for count, part in enumerate(rest, 1):
        if part == "..":
            break
        at = os.path.join(at, part)
        if at in points:
            found = (at, rest[count:])
    return found


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


SHARED = Mounts()
"""The instance that all probes use: a mount has one lock, however many targets use it."""
