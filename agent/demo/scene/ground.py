"""The demo's folder, its account, and what is kept between runs."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from agent.demo.home import Home, write_private
from agent.demo.servers import account as accounts
from agent.demo.servers.ports import free_port
from probes import Text

LOG_LIMIT_BYTES = 4 << 20
READY_SECONDS = 30.0
PG_PRIMARY, PG_REPLICA = "simpeg-primary", "simpeg-replica"
MY_PRIMARY, MY_REPLICA = "esurat-primary", "esurat-replica"
NAMES = (PG_PRIMARY, PG_REPLICA, MY_PRIMARY, MY_REPLICA)


class Ground:
    """One demo folder, and the account that owns the servers' files in it."""

    def __init__(self, home: Home) -> None:
        """Raises ``DemoError`` when root finds no account for the servers."""
        self.home = home
        self.account = accounts.choose(os.geteuid())
        self.notes: list[Text] = []  # what a person should know about this start
        self.state = home.read_state()

    def remember(self) -> None:
        """Store ``state`` for the next start."""
        self.home.write_state(self.state)

    def clear(self) -> None:
        """Begin with an empty folder."""
        self.home.clear()
        self.home.make()
        self.state = {}

    def secret(self, name: str) -> str:
        """A password of this demo, generated at its first use and stored."""
        kept = self.state.setdefault("secrets", {})
        if name not in kept:
            kept[name] = secrets.token_hex(12)
            self.remember()
        return str(kept[name])

    def port(self, name: str, wanted: int = 0) -> int:
        """A free port, the same as last time if possible; raises ``OSError`` when none is."""
        kept = self.state.setdefault("ports", {})
        kept[name] = free_port(wanted or int(kept.get(name, 0)))
        self.remember()
        return int(kept[name])

    def log(self, name: str) -> Path:
        """A server's log; one that grew too long is truncated."""
        path = self.home.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.unlink()
        return path

    def write_secret(self, name: str) -> Path:
        """A secret as a file that only the demo's owner reads, for ``password_file``."""
        path = self.home.secrets / name
        write_private(path, self.secret(name) + "\n")
        return path
