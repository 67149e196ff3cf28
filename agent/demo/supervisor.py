"""Runs the demo's servers, people and daemon in one process, and ends them together.

Whatever ends the demo (Ctrl-C, SIGTERM, a closed terminal, an error at any moment) also ends its
servers. The demo's only clock is here.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from agent import log as logs
from agent.demo import control, people, settings
from agent.demo.banner import banner, in_words
from agent.demo.errors import DemoError
from agent.demo.home import Home
from agent.demo.scene.faults import FAULTS, Faults
from agent.demo.scene.world import World
from probes import Text

if TYPE_CHECKING:
    from agent.daemon import Daemon

USUAL_PORT = 9480


def hold(home: Home, options: argparse.Namespace) -> int:
    """Run the demo until it is told to end; returns the exit code. Raises ``DemoError``."""
    logs.set_up()
    home.make()
    home.lock()
    world = World(home, with_mariadb=not options.no_mariadb)
    held = False
    try:
        with _signals():
            _say(Text("Preparing servers …"), options)
            world.start(fresh=options.fresh)
            held = _Demo(world, options).run()
    finally:
        world.stop()
        home.unlock()
        _say(Text("All demo servers have ended."), options)
        _say(home.what_stays(), options)
    if held:  # a thread that waited for a frozen server would keep the interpreter from ending
        sys.stdout.flush()
        logging.shutdown()
        os._exit(0)
    return 0


def _say(words: Text, options: argparse.Namespace) -> None:
    print(in_words(words, getattr(options, "lang", "")), file=sys.stderr, flush=True)


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt like Ctrl-C; during shutdown nothing interrupts."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        _ignore_signals()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        _ignore_signals()


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


class _Demo:
    """The daemon with its pages, and the control socket, beside the servers."""

    def __init__(self, world: World, options: argparse.Namespace) -> None:
        self._world = world
        self._faults = Faults(world)
        self._options = options
        self._ending = threading.Event()
        self._daemon: Daemon | None = None

    def run(self) -> bool:
        """Run until told to end; returns whether a thread of the daemon is still blocked."""
        listener = control.Control(
            self._world.home.control,
            lambda request: {"lang": self._language, **self._answer(request)},
        )
        listener.start()
        held = False
        try:
            passwords: dict[str, str] = {}
            if not self._options.servers_only:
                self._world.home.forget_starts()
                self._daemon = self._make_daemon()
                office = self._daemon.office
                if office is not None:
                    passwords = people.settle(office.people, datetime.now(UTC))
                self._daemon.start()
            print(
                banner(self._world, self._faults, self._address, passwords, self._language),
                flush=True,
            )
            while not self._ending.wait(3600.0):
                pass  # woken by a signal or by `sigap demo stop`
        finally:
            listener.stop()
            if self._daemon is not None:
                held = not self._daemon.stop()
        return held

    @property
    def _address(self) -> str:
        return self._daemon.address if self._daemon is not None else ""

    @property
    def _language(self) -> str:
        """The requested language; "" prints everything in both."""
        return str(getattr(self._options, "lang", ""))

    def _make_daemon(self) -> Daemon:
        from agent.config import ConfigError, load
        from agent.daemon import Daemon
        from agent.demo.page import router
        from agent.http import ListenError
        from agent.open_desk import OpeningError

        port = self._options.port
        if port is None:
            port = self._world.ground.port("agent", USUAL_PORT)
        settings.write(self._world, f"127.0.0.1:{port}", self._language)
        try:
            return Daemon(
                load(self._world.home.config),
                demo=True,
                routers=[router(self._faults, self._world.home)],
            )
        except (ConfigError, ListenError, OpeningError) as error:
            raise DemoError(
                Text(
                    "The agent cannot start: {error}. If a port is in use, choose another "
                    "with --port; otherwise start again with --fresh.",
                    error=error,
                )
            ) from error

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run a second terminal's request."""
        do, name, target = (str(request.get(key, "")) for key in ("do", "fault", "target"))
        if do == "break":
            said = self._faults.break_it(name, target)
        elif do == "heal":
            said = self._faults.heal(name, target)
        elif do == "status":
            return self._status()
        elif do == "stop":
            self._ending.set()
            return {"pid": os.getpid()}
        else:
            raise DemoError(Text("{do} is not known.", do=repr(do)))
        return dict(said.recorded)

    def _status(self) -> dict[str, Any]:
        standing = self._faults.status()
        return {
            "address": self._address,
            "pid": os.getpid(),
            "faults": {
                name: {"stands": standing[name], "targets": self._faults.targets(fault)}
                for name, fault in FAULTS.items()
            },
        }
