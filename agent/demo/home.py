"""The demo's folder: servers, store, secrets and records of running processes.

At most one demo runs in a folder (a file lock that ends with the process); secrets are readable
only by their owner.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.demo.errors import DemoError
from agent.state.folder import KEPT_FILE
from probes import Text

LAYOUT = 1  # increased when the format of a demo folder changes; an older folder is created again
SOCKET_LIMIT = 100  # bytes; the kernel's limit for a Unix socket's whole path is 107


def default_home(environment: Mapping[str, str], euid: int) -> Path:
    """``SIGAP_DEMO_DIR``, else the user's state folder.

    Root's demo lives in ``/var/lib``: its servers run as an ordinary user, who cannot enter
    root's own home.
    """
    if told := environment.get("SIGAP_DEMO_DIR"):
        return Path(told)
    if euid == 0:
        return Path("/var/lib/sigap-demo")
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "sigap-demo"


class Home:
    """Paths of one demo folder, its lock and its state file (``state.json``)."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._lock: int | None = None

    @property
    def sockets(self) -> Path:
        """Sockets of the servers; only the servers' account may enter."""
        return self.path / "sock"

    @property
    def run(self) -> Path:
        """Records of running processes and the control socket."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def volume(self) -> Path:
        """Where the small volume is mounted."""
        return self.path / "volume"

    @property
    def control(self) -> Path:
        return self.run / "control.sock"

    def forget_starts(self) -> None:
        """Drop the remembered starts: the demo itself stopped and started its servers, which is no
        restart.
        """
        (self.path / KEPT_FILE).unlink(missing_ok=True)

    @property
    def config(self) -> Path:
        return self.path / "agent.yaml"

    @property
    def store(self) -> Path:
        return self.path / "sigap.db"

    def server(self, name: str) -> Path:
        """The data directory of one server."""
        return self.path / "data" / name

    def make(self) -> None:
        """Create the folders that belong to the user of the demo; raises ``DemoError``."""
        if len(os.fsencode(self.sockets / ".s.PGSQL.65535")) > SOCKET_LIMIT:
            raise DemoError(
                Text(
                    "The demo folder's name is too long for a Unix socket: {path}. "
                    "Choose a shorter one with --dir.",
                    path=self.path,
                )
            )
        try:
            if self.path.is_dir() and any(self.path.iterdir()) and not self._ours():
                raise DemoError(
                    Text(
                        "{path} has files that are not the demo's. "
                        "Choose an empty folder with --dir.",
                        path=self.path,
                    )
                )
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self._mark.touch()
            for folder, mode in ((self.run, 0o711), (self.logs, 0o711), (self.secrets, 0o700)):
                folder.mkdir(mode=mode, exist_ok=True)
        except OSError as error:
            raise DemoError(
                Text(
                    "The demo folder {path} cannot be created ({strerror}). Choose another "
                    "with --dir or SIGAP_DEMO_DIR.",
                    path=self.path,
                    strerror=error.strerror,
                )
            ) from None

    @property
    def _mark(self) -> Path:
        return self.path / ".sigap-demo"

    def _ours(self) -> bool:
        return self._mark.exists()

    def lock(self) -> None:
        """Lock the folder for this process until it ends; raises ``DemoError`` when it is
        locked.
        """
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise DemoError(
                Text(
                    "A demo already runs in {path}. See it with `sigap demo status`, or "
                    "choose another folder with --dir.",
                    path=self.path,
                )
            ) from None
        self._lock = handle

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def what_stays(self) -> Text:
        """What remains after the demo, and how to delete it."""
        return Text(
            "Its servers' data, incidents, accounts and secrets stay in {folder} for the next "
            "demo; --fresh starts from an empty folder, and the folder may be deleted.",
            folder=self.path,
        )

    def clear(self) -> None:
        """Delete everything but the lock (``--fresh``). The caller has stopped the servers."""
        for entry in self.path.iterdir():
            if entry.name in {".lock", ".sigap-demo"}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def read_state(self) -> dict[str, Any]:
        """The stored state; empty when there is none or it cannot be used."""
        try:
            state = json.loads((self.path / "state.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) and state.get("layout") == LAYOUT else {}

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Store the state; readable by the owner alone, replaced as a whole."""
        write_private(
            self.path / "state.json", json.dumps({**state, "layout": LAYOUT}, indent=1) + "\n"
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, replacing the old one atomically."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
