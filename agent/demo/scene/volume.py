"""A small separate volume, so that a full disk is real but harmless.

It is a tmpfs of 64 MiB that holds the WAL of one server. Mounting needs a right that root has; an
ordinary user gets it in a mount namespace, in which the whole demo starts itself again
(``enter_namespace``). If neither is allowed there is no volume, and the fault says so.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.demo.servers.account import Account

SIZE_MIB = 64
INSIDE = "SIGAP_DEMO_NAMESPACE"
BALLAST = "cadangan-lama.dump"  # a forgotten old backup


def enter_namespace(arguments: Sequence[str]) -> None:
    """Start the demo again in its own user and mount namespace; returns if that is not possible.

    Account, processes and network stay the same; only mounts are private, and they end with the
    demo's last process.
    """
    if os.geteuid() == 0 or INSIDE in os.environ:
        return
    unshare = shutil.which("unshare")
    if unshare is None:
        return
    start = [unshare, "--user", "--map-current-user", "--mount", "--keep-caps"]
    trial = subprocess.run(
        [*start, "mount", "-t", "tmpfs", "-o", "size=64k", "sigap-demo", "/mnt"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if trial.returncode != 0:
        return
    os.environ[INSIDE] = "1"
    os.execv(unshare, [*start, sys.executable, "-m", "agent.demo", *arguments])  # noqa: S606 - replacing this process is the point; no shell is involved


class SmallVolume:
    """The small volume at one mount point."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def mounted(self) -> bool:
        return os.path.ismount(self.path)

    def mount(self, account: Account) -> bool:
        """Mount it without ballast; False if this system does not allow it."""
        if not self.mounted:
            self.path.mkdir(mode=0o700, exist_ok=True)
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "sigap-demo",
                 str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )  # fmt: skip
            if done.returncode != 0:
                return False
        account.folder(self.path)
        self.empty()
        return True

    def unmount(self) -> None:
        """Unmount it, even if a process still has a file open there."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.path)], check=False)

    @property
    def full(self) -> bool:
        return (self.path / BALLAST).exists()

    def fill(self) -> int:
        """Write until the volume is full; returns how many bytes were written."""
        written = 0
        with open(self.path / BALLAST, "wb", buffering=0) as file:
            for block in (1 << 20, 1 << 12):
                zeros = bytes(block)
                while True:
                    try:
                        written += file.write(zeros)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break
        return written

    def empty(self) -> None:
        """Delete what ``fill`` wrote."""
        (self.path / BALLAST).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize
