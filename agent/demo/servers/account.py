"""The operating-system account of the demo's servers, because database servers refuse root.

As root, the servers get an ordinary account and only the folders they need; otherwise they run as
the current user.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo.errors import DemoError
from probes import Text

CANDIDATES = ("nobody", "postgres", "mysql", "daemon")


@dataclass(frozen=True, slots=True)
class Account:
    """The account the servers run as; ``switch`` is true when it is not the current user."""

    name: str
    uid: int
    gid: int
    switch: bool

    def popen(self) -> dict[str, Any]:
        """Arguments that make ``subprocess`` start a program as this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Change the owner of one file or folder to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def folder(self, path: Path, mode: int = 0o700) -> Path:
        """A folder owned by the account, created when missing."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        self.give(path)
        return path

    def can_run(self, program: Path) -> bool:
        """Whether the account can start this program at its path."""
        try:
            return (
                subprocess.run(
                    [str(program), "--version"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    stdin=subprocess.DEVNULL,
                    cwd="/",
                    timeout=20,
                    check=False,
                    **self.popen(),
                ).returncode
                == 0
            )
        except (OSError, subprocess.SubprocessError):
            return False

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can reach a folder through all its parents."""
        try:
            subprocess.run(["/bin/true"], cwd="/", check=True, **self.popen())
            return (
                subprocess.run(
                    ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    check=False,
                    **self.popen(),
                ).returncode
                == 0
            )
        except (OSError, subprocess.SubprocessError):
            return False


def choose(euid: int) -> Account:
    """The account for the servers; raises ``DemoError`` when root finds no ordinary one."""
    if euid != 0:
        return Account(pwd.getpwuid(euid).pw_name, euid, os.getegid(), switch=False)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise DemoError(
        Text(
            "Database servers refuse to run as root, and this machine has no ordinary "
            "account ({candidates}). Run the demo as an ordinary user.",
            candidates=", ".join(CANDIDATES),
        )
    )
