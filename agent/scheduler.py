"""Why: every target is looked at in time, whatever the others do.

One thread for each target, on the monotonic clock, never overlapping itself. Promise: a frozen
target delays nobody else; rounds missed are counted, not piled up; a reload leaves the thread and
the session of an untouched target alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.timetable import Timetable, phase
from probes import CONNECTION_KINDS, Probe, Reading, Target
from probes.runner import HOST, Owner

log = logging.getLogger("sigap.scheduler")

PATIENCE = 3
"""Failed rounds in a row after which a target that is down is asked at the plain interval only."""


@dataclass(frozen=True)
class Plan:
    """What to do for one target; plans are compared by value when the configuration changes."""

    target: Target
    probes: tuple[Probe, ...]
    interval: float  # seconds
    deadline: float  # seconds, for one probe

    @property
    def periods(self) -> Mapping[str, float]:
        """Seconds between two runs, by probe."""
        tuned = {name: tuning.every for name, tuning in self.target.probes.items()}
        return {p.name: tuned.get(p.name) or p.every or self.interval for p in self.probes}

    @property
    def longest_round(self) -> float:
        """Seconds after which a round that has not ended is stuck: every call at its deadline."""
        return self.deadline * (2 * len(self.probes) + 2) + 5.0


def plan(
    target: Target, known: Iterable[Probe], interval_seconds: float, deadline_seconds: float
) -> Plan:
    """The probes a target gets: those switched on, host probes only where its files are."""
    chosen = tuple(
        probe
        for probe in known
        if (target.host or probe.engine != HOST)
        and (probe.name not in target.probes or target.probes[probe.name].enabled)
    )
    return Plan(target, chosen, interval_seconds, deadline_seconds)


@dataclass(frozen=True)
class Clocks:
    """Both clocks; the daemon passes the real ones, tests pass hands of their own."""

    now: Callable[[], datetime]  # aware, UTC
    monotonic: Callable[[], float]


Handle = Callable[[Plan, Probe, Reading, Owner], None]
"""Where a reading goes (``Pipeline.handle``)."""


class Loop:
    """The thread of one target."""

    def __init__(
        self,
        plan: Plan,
        owner: Owner,
        handle: Handle,
        clocks: Clocks,
        first: float,
        previous: Loop | None = None,
    ) -> None:
        self.plan = plan
        self.owner = owner
        self.timetable = Timetable(plan.periods, first)
        self.rounds = 0
        self._handle = handle
        self._clocks = clocks
        self._previous = previous
        self._failed = 0
        self._beat = first
        self._stop = threading.Event()
        self._probes = {probe.name: probe for probe in plan.probes}
        self._thread = threading.Thread(
            target=self._run, name=f"target {plan.target.name}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the call it is in; returns at once."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when a server still holds the thread."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def stalled(self, at: float) -> bool:
        """Whether no round has ended although one should have, even at every deadline."""
        due = max(self._beat, min(self.timetable.next, at))
        return not self._thread.is_alive() or at > due + self.plan.longest_round

    def _run(self) -> None:
        if self._previous is not None:
            self._previous.join(self._previous.plan.longest_round)
            self._previous = None
        while not self._stop.wait(max(0.0, self._wait())):
            started = self._clocks.monotonic()
            try:
                self.round(started)
            except Exception:  # a bug of ours in one round must not end this target's watch
                log.exception("a round of %s broke; please report this", self.plan.target.name)
            self._beat = self._clocks.monotonic()
        self.owner.drop()

    def _wait(self) -> float:
        # Event.wait takes no infinity, and a target without probes has nothing due.
        return min(self.timetable.next - self._clocks.monotonic(), 3600.0)

    def round(self, started: float) -> None:
        """Ask what is due at ``started`` and hand every reading on."""
        due = [self._probes[name] for name in self.timetable.take(started)]
        down = False
        for reading in self.owner.round(due, self._clocks.now):
            if self._stop.is_set():
                return
            probe = self._probes[reading.probe]
            if reading.failure and reading.failure.kind in CONNECTION_KINDS:
                down = down or probe.engine != HOST
            self._handle(self.plan, probe, reading, self.owner)
        if due:
            self.rounds += 1
        self._failed = self._failed + 1 if down else 0
        self.timetable.catch_up(self._clocks.monotonic())
        if self._failed > PATIENCE:
            self.timetable.hold(started + self.plan.interval * 0.999)


class Scheduler:
    """Holds the loops of all targets."""

    def __init__(
        self,
        handle: Handle,
        owner_for: Callable[[Plan], Owner],
        clocks: Clocks,
        gone: Callable[[str], None],
    ) -> None:
        """``gone(target)`` is told once a target that left the configuration has ended."""
        self._handle = handle
        self._owner_for = owner_for
        self._clocks = clocks
        self._gone = gone
        self._loops: dict[str, Loop] = {}
        self._leaving: list[Loop] = []

    @property
    def loops(self) -> tuple[Loop, ...]:
        return tuple(self._loops.values())

    def apply(self, plans: Iterable[Plan]) -> tuple[list[str], list[str]]:
        """Watch exactly these targets; untouched ones keep thread and session.

        Returns the names started (new or changed) and ended. Called by one thread.
        """
        wanted = {each.target.name: each for each in plans}
        ended = [name for name in self._loops if name not in wanted]
        for name in ended:
            loop = self._loops.pop(name)
            loop.stop()
            self._leaving.append(loop)
            self._gone(name)
        started = []
        for name, each in wanted.items():
            running = self._loops.get(name)
            if running is not None and running.plan == each:
                continue
            if running is not None:
                running.stop()
            first = self._clocks.monotonic() + phase(name, each.interval, len(wanted))
            loop = Loop(each, self._owner_for(each), self._handle, self._clocks, first, running)
            self._loops[name] = loop
            loop.start()
            started.append(name)
        self._leaving = [loop for loop in self._leaving if not loop.join(0)]
        return started, ended

    def waiting(self) -> list[str]:
        """Targets that have not finished their first round."""
        return [n for n, loop in self._loops.items() if not loop.rounds and loop.plan.probes]

    def stalled(self) -> list[str]:
        """Targets whose loop no longer advances."""
        at = self._clocks.monotonic()
        return [name for name, loop in self._loops.items() if loop.stalled(at)]

    def stop(self, seconds: float) -> list[str]:
        """Ask every loop to end and wait that long at most; returns the names still held."""
        for loop in self.loops:
            loop.stop()
        until = self._clocks.monotonic() + seconds
        return [
            name
            for name, loop in self._loops.items()
            if not loop.join(max(0.0, until - self._clocks.monotonic()))
        ]
