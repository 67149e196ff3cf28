"""All servers of the demo: created when missing, started, kept under load, ended.

After ``start`` every replica streams from its primary and no fault of an earlier run is left. After
``stop`` no process, mount or port of the demo remains, whatever was broken.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from agent.demo.errors import DemoError
from agent.demo.home import Home
from agent.demo.scene import load
from agent.demo.scene.esurat import Esurat
from agent.demo.scene.ground import NAMES, Ground
from agent.demo.scene.simpeg import Simpeg
from agent.demo.scene.volume import SmallVolume
from agent.demo.servers import process
from agent.demo.servers.mariadb import MariaDB
from agent.demo.servers.postgresql import PostgreSQL
from probes import Text

log = logging.getLogger("sigap.demo")


class World:
    """All servers of one demo folder."""

    def __init__(self, home: Home, *, with_mariadb: bool) -> None:
        """Raises ``DemoError`` when root finds no account for the servers."""
        self.home = home
        self.ground = Ground(home)
        self.volume = SmallVolume(home.volume)
        self.simpeg = Simpeg(self.ground, self.volume)
        self.esurat = Esurat(self.ground)
        self._with_mariadb = with_mariadb
        self._load: list[load.Load] = []

    @property
    def servers(self) -> Mapping[str, PostgreSQL | MariaDB]:
        """Every server that this demo has, by its target's name."""
        return {**self.simpeg.servers, **self.esurat.servers}

    def start(self, *, fresh: bool = False) -> None:
        """Start everything. Raises ``DemoError``; the caller then calls ``stop``."""
        self.sweep()
        if fresh:
            self.volume.unmount()
            self.ground.clear()
        account = self.ground.account
        account.folder(self.home.sockets)
        (self.home.path / "data").mkdir(mode=0o711, exist_ok=True)
        if not account.can_enter(self.home.sockets):
            raise DemoError(
                Text(
                    "The account {name}, which runs the servers, cannot enter {path}. "
                    "Choose another folder with --dir, such as one in /var/lib.",
                    name=account.name,
                    path=self.home.path,
                )
            )
        self._load.append(self.simpeg.start())
        if self._with_mariadb and (busy := self.esurat.start()) is not None:
            self._load.append(busy)
        for worker in self._load:
            worker.start()

    def sweep(self) -> None:
        """End what a killed demo left running in this folder."""
        if self.volume.mounted:
            self.volume.empty()  # a server needs room to shut down in order
        # the process that listened there has no lock any more
        self.home.control.unlink(missing_ok=True)
        ended = process.sweep(self.home.run, [self.home.server(name) for name in NAMES])
        if ended:
            log.warning("processes left by an earlier demo were ended: %s", ", ".join(ended))

    def stop(self) -> None:
        """Stop everything; data stays for the next start. Never fails half-way."""
        for worker in self._load:
            worker.stop()
        if self.volume.mounted:
            self.volume.empty()  # a server needs room to shut down in order
        self.simpeg.stop()
        self.esurat.stop()
        self.sweep()
        self.simpeg.save_wal()
        self.volume.unmount()
