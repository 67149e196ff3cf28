"""The daemon: builds, starts and stops everything, and reloads the configuration.

Starts although every target is down; ends within three seconds of SIGTERM or SIGINT whatever hangs;
SIGHUP applies a whole valid configuration or none of it. Holds the only real clock.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config import Config, ConfigError, load
from agent.http import DeskServer, HttpServer, PlainServer, Routes, listen, routes
from agent.metrics.readings import Latest
from agent.metrics.registry import Metrics
from agent.metrics.text_format import Board
from agent.runtime import sdnotify
from agent.runtime.maintenance import Maintenance
from agent.runtime.pipeline import DeskQueue, Pipeline
from agent.runtime.scheduler import Clocks, Scheduler
from agent.runtime.self_metrics import of_scheduler, skipped_rounds
from agent.runtime.verdict_log import NoDesk
from agent.state.folder import State
from probes import registry
from probes.fleet.fleet import Fleet
from probes.fleet.plan import Plan, plan
from probes.runner import Owner

if TYPE_CHECKING:
    from agent.desk_services import BackOffice

log = logging.getLogger("sigap")

REAL = Clocks(lambda: datetime.now(UTC), time.monotonic)
STOP_SECONDS = 2.5


class Daemon:
    """One agent; ``run`` adds the signals."""

    def __init__(
        self,
        config: Config,
        clocks: Clocks = REAL,
        *,
        demo: bool = False,
        routers: Iterable[Any] = (),
    ) -> None:
        """Opens the listener and the store, starts nothing yet.

        ``routers`` are further FastAPI routers for the pages (the demo's).
        Raises ``ListenError`` or ``OpeningError``, one sentence each.
        """
        self.config = config
        self._clocks = clocks
        self._listener = listen(config.host, config.port)
        self.address = f"http://{_shown(*self._listener.getsockname()[:2])}"
        board = Board()
        self._latest = Latest(board, clocks.monotonic)
        self.metrics = Metrics(board, clocks.monotonic)
        try:
            self._office = self._open_office(demo)
        except BaseException:
            self._listener.close()
            raise
        queue: DeskQueue = self._office.reporter if self._office else NoDesk()
        self._state = State(config.state)
        fleet = Fleet(config.name, self._state.notebook)
        self._pipeline = Pipeline(self._latest, queue, fleet, self._state.keep)
        self.scheduler = Scheduler(self._pipeline, self._owner, clocks, self._gone)
        self.metrics.add(lambda: of_scheduler(self.scheduler))
        self.metrics.add_text(lambda: skipped_rounds(self.scheduler))
        self.metrics.add(fleet.collect)
        self._server = self._serve(routes(self.metrics.page, self.unready), routers)

    @property
    def office(self) -> BackOffice | None:
        """The desk's services; None for an agent without a store."""
        return self._office

    def start(self) -> None:
        """Start every loop and the listener; returns at once."""
        self._state.start()
        if self._office is not None:
            self._recall(self._office)
            self._office.start()
        self._watch(self.config)
        self.metrics.reloaded(self._clocks.now())
        self._server.start()
        targets = len(self.config.targets)
        log.info(
            "Sigap monitors %d %s and listens on %s",
            targets,
            "target" if targets == 1 else "targets",
            self.address,
        )

    def reload(self, read: Callable[[Path], Config] = load) -> bool:
        """Apply the configuration file as it is now, or keep the running one."""
        try:
            config = read(self.config.file)
        except ConfigError as error:
            self.metrics.reloaded(None)
            for problem in error.problems:
                log.error("configuration rejected, the running one stays in use: %s", problem)
            return False
        for fixed in ("name", "host", "port", "store", "procedure", "calendar", "office"):
            if getattr(config, fixed) != getattr(self.config, fixed):
                log.warning("'%s' has changed; restart Sigap to apply it", fixed)
        started, ended = self._watch(config)
        self.config = config
        self.metrics.reloaded(self._clocks.now())
        log.info(
            "configuration applied: %d targets new or changed, %d removed, %d unchanged",
            len(started),
            len(ended),
            len(config.targets) - len(started),
        )
        return True

    def unready(self) -> list[str]:
        """Which loops have not advanced, in words; empty when all have."""
        reasons = [f"{name} has not been read yet" for name in self.scheduler.waiting()]
        return reasons + self.stalled()

    def stalled(self) -> list[str]:
        """Which loops no longer advance, in words."""
        reasons = [f"the loop of {name} does not advance" for name in self.scheduler.stalled()]
        return reasons + (self._office.stalled() if self._office else [])

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """End within ``seconds``; False when some thread is still blocked."""
        until = self._clocks.monotonic() + seconds

        def left(share: float) -> float:
            return max(0.05, (until - self._clocks.monotonic()) * share)

        self._server.stop()
        held = self.scheduler.stop(left(0.4))
        self._state.stop(left(0.2))
        untold = self._office.stop(left(0.5)) if self._office else 0
        if untold:
            log.warning(
                "%d findings undelivered at shutdown; they are sent again after restart", untold
            )
        self._server.join(left(1.0))
        if held:
            log.warning("targets that had not answered yet at shutdown: %s", ", ".join(held))
        log.info("Sigap has stopped")
        return not held

    def _open_office(self, demo: bool) -> BackOffice | None:
        if self.config.store is None:
            log.info("no store configured: no incidents; verdicts are on /metrics and in this log")
            return None
        from agent.desk_services import BackOffice  # loads the desk's libraries, only for a desk

        return BackOffice(self.config, self._latest, self.metrics, self._clocks, demo)

    def _serve(self, answers: Routes, routers: Iterable[Any]) -> HttpServer:
        if self._office is None:
            return PlainServer(self._listener, answers)
        for router in routers:
            self._office.app.include_router(router)
        return DeskServer(self._listener, self._office.app, answers)

    def _watch(self, config: Config) -> tuple[list[str], list[str]]:
        plans = [
            plan(
                target,
                registry.probes_for(target.engine),
                config.interval,
                config.deadline,
                config.learn_after,
            )
            for target in config.targets
        ]
        self._pipeline.watch(plans, Maintenance(config.windows))
        return self.scheduler.apply(plans)

    def _gone(self, target: str) -> None:
        self._pipeline.forget(target)
        self._state.forget(target)

    def _recall(self, office: BackOffice) -> None:
        """Restore the desk's open findings in the judges, so that they can clear."""
        from agent.runtime.restore_judge import recalled  # only for a desk
        from incidents.store import StoreUnavailable

        try:
            self._pipeline.restore(recalled(office.desk.queries.open_incidents()))
        except StoreUnavailable as error:
            log.warning("open incidents not restored, store unavailable: %s", error)

    def _owner(self, plan: Plan) -> Owner:
        owner = Owner(plan.target, registry.engine(plan.target.engine), plan.deadline)
        owner.remember(self._state.kept(plan.target.name))
        return owner


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def run(
    file: Path,
    *,
    demo: bool = False,
    routers: Iterable[Any] = (),
    ready: Callable[[Daemon], None] = lambda daemon: None,
) -> int:
    """Run until SIGTERM or SIGINT; ``ready`` is called once everything has started.

    Must be called by the main thread. A server that hangs may still hold a thread afterwards, so
    the caller ends the process without waiting for threads (``os._exit``).
    Raises ``ConfigError``, ``ListenError`` or ``OpeningError``.
    """
    config = load(file)
    for warning in config.warnings:
        log.warning("%s", warning)
    with _signals() as signals:
        daemon = Daemon(config, demo=demo, routers=routers)
        daemon.start()
        sdnotify.notify("READY=1")
        ready(daemon)
        settle()
        _serve_signals(daemon, signals)
        sdnotify.notify("STOPPING=1")
        daemon.stop()
        return 0


def settle() -> None:
    """Exclude what exists after the start from all later garbage collections.

    It lives as long as the process. A full collection of it blocks all threads, measured at 40 ms
    with a desk, which would delay a scrape or a round by as much.
    """
    gc.collect()
    gc.freeze()


def _serve_signals(daemon: Daemon, signals: int) -> None:
    """Wait for signals; notify systemd as long as every loop advances."""
    pause = sdnotify.watchdog_seconds()
    while True:
        readable, _, _ = select.select([signals], [], [], pause)
        received = set(os.read(signals, 64)) if readable else set()
        if received & {signal.SIGTERM, signal.SIGINT}:
            return
        if signal.SIGHUP in received:
            daemon.reload()
        if pause is not None and not daemon.stalled():
            sdnotify.notify("WATCHDOG=1")


@contextmanager
def _signals() -> Iterator[int]:
    """Signals as bytes in a pipe, so that no code of ours runs in a handler, where locks may be
    held.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in wanted}
    woken = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
