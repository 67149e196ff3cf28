"""Why: every target is looked at in time, whatever the others do.

One thread for each target, on the monotonic clock, never overlapping itself. Promise: a frozen
target delays nobody else; rounds missed are counted, not piled up; a reload leaves the thread and
the session of an untouched target alone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.runtime.timetable import Timetable, phase
from probes import CONNECTION_KINDS, Probe, Reading
from probes.plan import Plan
from probes.runner import HOST, Owner

log = logging.getLogger("sigap.scheduler")

PATIENCE = 3
"""Failed rounds in a row after which a target that is down is asked at the plain interval only."""


MOST_BUSY = 0.25
"""The share of time a target may spend answering us; beyond it we look less often."""

LONGEST_REST_SECONDS = 300.0


@dataclass(frozen=True)
class Clocks:
    """Both clocks; the daemon passes the real ones, tests pass hands of their own."""

    now: Callable[[], datetime]  # aware, UTC
    monotonic: Callable[[], float]


Handle = Callable[[Plan, Probe, Reading, Owner], bool]
"""Where a reading goes (``Pipeline.handle``); answers whether it leaves its probe in doubt."""

Errand = Callable[[Plan, Owner, datetime], None]
"""Something a target's own thread does between two rounds, asked for by another thread."""

MOST_ERRANDS = 20
"""That wait for one target; a frozen one takes no more."""


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
        self.timetable = Timetable(plan.periods, first, plan.periods_in_doubt, plan.shifts)
        self.rounds = 0
        self.eased = False
        self._handle = handle
        self._clocks = clocks
        self._previous = previous
        self._failed = 0
        self._beat = first
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._errands: deque[Errand] = deque()
        self._probes = {probe.name: probe for probe in plan.probes}
        self._thread = threading.Thread(
            target=self._run, name=f"target {plan.target.name}", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the call it is in; returns at once."""
        self._stop.set()
        self._woken.set()

    def ask(self, errand: Errand) -> bool:
        """Have this target's thread do something soon; False when it has too much to do."""
        if self._stop.is_set() or len(self._errands) >= MOST_ERRANDS:
            return False
        self._errands.append(errand)
        self._woken.set()
        return True

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
        while not self._stop.is_set():
            if self._woken.wait(max(0.0, self._wait())):
                self._woken.clear()
                self._run_errands()
                continue
            started = self._clocks.monotonic()
            try:
                self.round(started)
            except Exception:  # a bug of ours in one round must not end this target's watch
                log.exception(
                    "round of %s failed unexpectedly; please report this", self.plan.target.name
                )
            self._beat = self._clocks.monotonic()
        self.owner.drop()

    def _run_errands(self) -> None:
        while self._errands and not self._stop.is_set():
            errand = self._errands.popleft()
            try:
                errand(self.plan, self.owner, self._clocks.now())
            except Exception:  # an errand is a courtesy to another target
                log.exception(
                    "errand for %s failed unexpectedly; please report this", self.plan.target.name
                )

    def _wait(self) -> float:
        # Event.wait takes no infinity, and a target without probes has nothing due.
        return min(self.timetable.next - self._clocks.monotonic(), 3600.0)

    def round(self, started: float) -> None:
        """Ask what is due at ``started`` and hand every reading on."""
        self._run_errands()
        before = self.owner.cost.seconds
        planned = min(self.timetable.next, started)
        due = [self._probes[name] for name in self.timetable.take(started)]
        down = False
        for reading in self.owner.round(due, self._clocks.now):
            if self._stop.is_set():
                return
            probe = self._probes[reading.probe]
            if reading.failure and reading.failure.kind in CONNECTION_KINDS:
                down = down or probe.engine != HOST
            in_doubt = self._handle(self.plan, probe, reading, self.owner)
            self.timetable.doubt(probe.name, in_doubt, started)
        if due:
            self.rounds += 1
        if down:  # what is dear comes with the first round in which the server is back
            for name in self.plan.periods_in_doubt:
                self.timetable.doubt(name, True, started)
        self._failed = self._failed + 1 if down else 0
        self.timetable.catch_up(self._clocks.monotonic())
        if self._failed > PATIENCE:
            # From when it was due: a round that began late must not cost the one after it.
            self.timetable.hold(planned + self.plan.interval * 0.999)
        elif not down:
            self._ease(started, self.owner.cost.seconds - before)

    def _ease(self, started: float, busy_seconds: float) -> None:
        """Under distress look less often: all but whether the server lives and lets people in.

        A round that kept the server busy for longer than its share is followed by rest enough to
        get back to that share, so a server that slows down is asked less, not more.
        """
        rest = busy_seconds / MOST_BUSY
        self.eased = rest > self.plan.interval
        if self.eased:
            vital = [
                each.name
                for each in self.plan.probes
                if each.judged_on_failure or each.sooner_in_doubt
            ]
            self.timetable.hold(started + min(rest, LONGEST_REST_SECONDS), vital)


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
            first = self._clocks.monotonic() + phase(name, each.between_rounds, len(wanted))
            loop = Loop(each, self._owner_for(each), self._handle, self._clocks, first, running)
            self._loops[name] = loop
            loop.start()
            started.append(name)
        self._leaving = [loop for loop in self._leaving if not loop.join(0)]
        return started, ended

    def ask(self, target: str, errand: Errand) -> bool:
        """Have the thread of a target do something between two rounds; False: it will not."""
        loop = self._loops.get(target)
        return loop is not None and loop.ask(errand)

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
