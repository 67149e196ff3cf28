"""Runs each target's probes in its own thread, on time, whatever the other targets do.

One thread per target, on the monotonic clock, never overlapping itself. A frozen target delays no
other; missed rounds are counted, not made up for; a reload leaves the thread and the session of an
unchanged target alone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.runtime.evidence import Request, other_side
from agent.runtime.pipeline import Handled
from agent.runtime.timetable import Timetable, phase
from probes import CONNECTION_KINDS, Evidence, Probe, Reading
from probes.fleet.plan import Plan
from probes.runner import HOST, Owner

log = logging.getLogger("sigap.scheduler")

PATIENCE = 3
"""Consecutive failed rounds after which a target that is down is tried at the plain interval only.
"""


MOST_BUSY = 0.25
"""The share of time a target may spend answering us; beyond it probes run less often."""

LONGEST_REST_SECONDS = 300.0


@dataclass(frozen=True)
class Clocks:
    """Both clocks; the daemon passes the real ones, tests pass clocks they move."""

    now: Callable[[], datetime]  # aware, UTC
    monotonic: Callable[[], float]


class Handler(Protocol):
    """Where readings and the answers of partners go (``Pipeline``)."""

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled: ...

    def answer(self, request: Request, taken: Evidence | None) -> None: ...


MOST_REQUESTS = 20
"""Requests that may wait for one target; a frozen one takes no more."""


class Loop:
    """The thread of one target."""

    def __init__(
        self,
        plan: Plan,
        owner: Owner,
        handler: Handler,
        clocks: Clocks,
        first: float,
        send: Callable[[Request], None],
        previous: Loop | None = None,
    ) -> None:
        """``send`` takes requests to the loops of other targets."""
        self.plan = plan
        self.owner = owner
        self.timetable = Timetable(plan.periods, first, plan.periods_in_doubt, plan.shifts)
        self.rounds = 0
        self.eased = False
        self._handler = handler
        self._clocks = clocks
        self._send = send
        self._previous = previous
        self._failed = 0
        self._beat = first
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._requests: deque[Request] = deque()
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

    def ask(self, request: Request) -> bool:
        """Have this target's thread answer soon; False if it has too much to do."""
        if self._stop.is_set() or len(self._requests) >= MOST_REQUESTS:
            return False
        self._requests.append(request)
        self._woken.set()
        return True

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when a server still blocks the thread."""
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
                self._answer_requests()
                continue
            started = self._clocks.monotonic()
            try:
                self.round(started)
            except Exception:  # a bug of ours in one round must not end this target's watch
                log.exception(
                    "round of target %s failed unexpectedly; please report this",
                    self.plan.target.name,
                )
            self._beat = self._clocks.monotonic()
        self.owner.drop()

    def _answer_requests(self) -> None:
        while self._requests and not self._stop.is_set():
            request = self._requests.popleft()
            try:
                shown = other_side(request, self.plan, self.owner, self._clocks.now())
                self._handler.answer(request, shown)
            except Exception:  # the answer is for another target's evidence
                log.exception(
                    "evidence of %s for a partner failed unexpectedly; please report this",
                    self.plan.target.name,
                )

    def _wait(self) -> float:
        # Event.wait takes no infinity, and a target without probes has nothing due.
        return min(self.timetable.next - self._clocks.monotonic(), 3600.0)

    def round(self, started: float) -> None:
        """Run the probes due at ``started`` and pass every reading on."""
        self._answer_requests()
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
            outcome = self._handler.handle(self.plan, probe, reading, self.owner)
            self.timetable.doubt(probe.name, outcome.in_doubt, started)
            for request in outcome.requests:
                self._send(request)
        if due:
            self.rounds += 1
        if down:  # expensive probes run in the first round in which the server is back
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
        """Run probes less often on an overloaded server, except availability and login.

        After a round that kept the server busy for longer than its share, the loop pauses until the
        share is kept again, so a server that slows down gets fewer queries, not more.
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
        handler: Handler,
        owner_for: Callable[[Plan], Owner],
        clocks: Clocks,
        gone: Callable[[str], None],
    ) -> None:
        """``gone(target)`` is called once a target that was removed from the configuration has
        ended.
        """
        self._handler = handler
        self._owner_for = owner_for
        self._clocks = clocks
        self._gone = gone
        self._loops: dict[str, Loop] = {}
        self._leaving: list[Loop] = []

    @property
    def loops(self) -> tuple[Loop, ...]:
        return tuple(self._loops.values())

    def apply(self, plans: Iterable[Plan]) -> tuple[list[str], list[str]]:
        """Monitor exactly these targets; unchanged ones keep thread and session.

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
            owner = self._owner_for(each)
            loop = Loop(each, owner, self._handler, self._clocks, first, self.send, running)
            self._loops[name] = loop
            loop.start()
            started.append(name)
        self._leaving = [loop for loop in self._leaving if not loop.join(0)]
        return started, ended

    def send(self, request: Request) -> None:
        """Have the partner's thread answer between two rounds, or say that it will not."""
        loop = self._loops.get(request.partner)
        if loop is None or not loop.ask(request):
            self._handler.answer(request, None)

    def waiting(self) -> list[str]:
        """Targets that have not finished their first round."""
        return [n for n, loop in self._loops.items() if not loop.rounds and loop.plan.probes]

    def stalled(self) -> list[str]:
        """Targets whose loop no longer advances."""
        at = self._clocks.monotonic()
        return [name for name, loop in self._loops.items() if loop.stalled(at)]

    def stop(self, seconds: float) -> list[str]:
        """Ask every loop to end and wait so long at most; returns the names still blocked."""
        for loop in self.loops:
            loop.stop()
        until = self._clocks.monotonic() + seconds
        return [
            name
            for name, loop in self._loops.items()
            if not loop.join(max(0.0, until - self._clocks.monotonic()))
        ]
