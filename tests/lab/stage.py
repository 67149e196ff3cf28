"""Runs the whole path under test: owner, take, judge, pipeline, reporter, desk, with a test clock.

A round reads every target that is due, each in its own thread as the agent does, and returns once
the desk has all its findings. The clock does not move between rounds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.evidence import Request, other_side
from agent.runtime.maintenance import Maintenance, Window
from agent.runtime.pipeline import Pipeline
from agent.runtime.reporter import Reporter
from agent.runtime.scheduler import Clocks, Loop
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Incident
from incidents.procedure import load as procedure
from incidents.store import StoreUnavailable, open_store
from probes import (
    Expectations,
    Finding,
    Fingerprint,
    Limits,
    Measurement,
    Probe,
    Session,
    Severity,
    Target,
    Tuning,
    registry,
)
from probes.fleet.fleet import Fleet
from probes.fleet.plan import Plan, plan
from probes.model import MemoryKey
from probes.runner import HOST, Owner
from tests.support.elapsed import seen_earlier
from tests.support.wait import until

INTERVAL_SECONDS = 15.0
AGENT = "pantau"
_BY_THE_SERVERS_CLOCK = ("disk_growth", "checkpoints")
USUAL: Mapping[str, Limits] = {
    # Servers of the lab have only just been started; what restarts is the scenarios' own business.
    "restart.since_restart_seconds": Limits(warning=0.5),
}
"""What every scenario changes of the declared limits, unless it changes it itself."""


class Hands:
    """The agent's clock: real when it starts, moved by the lab."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._monotonic = time.monotonic()
        self.moved = 0.0  # seconds, by hand

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.moved)

    def monotonic(self) -> float:
        return self._monotonic + self.moved

    def move(self, seconds: float) -> None:
        self.moved += seconds


@dataclass(frozen=True)
class Setup:
    """How the targets of one scenario are monitored."""

    limits: Mapping[str, Limits]  # by "probe.measure"
    host: tuple[str, ...] = ()  # host probes to run
    local: bool = False  # the agent runs on the servers' host, whatever host probes look
    own_clocks: bool = False
    deadline: float = 2.0
    announced: bool = False  # the whole scenario falls into a maintenance window
    rest_seconds: float = 0.0  # really waited between two rounds
    seconds_a_round: float = INTERVAL_SECONDS  # of the agent's clock
    expects: Mapping[str, Expectations] = field(default_factory=dict)  # by target


class Tap:
    """Sees every finding on its way to the reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self.newest: dict[Fingerprint, Finding] = {}
        self.held: set[Fingerprint] = set()  # would have opened an incident, had no window been on
        self._reporter = reporter

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.newest[finding.fingerprint] = finding
        if finding.severity is Severity.CRITICAL and not finding.opens:
            self.held.add(finding.fingerprint)
        self._reporter.put(finding, wait_seconds)

    def bad(self) -> list[Finding]:
        """What is a warning or worse now."""
        return [each for each in self.newest.values() if each.severity > Severity.CLEAR]


class Stage:
    """An agent and a desk with an empty store, for one scenario."""

    def __init__(self, targets: Sequence[Target], folder: Path, setup: Setup) -> None:
        self.hands = Hands()
        self._rest_seconds = setup.rest_seconds
        self._seconds_a_round = setup.seconds_a_round
        self._store = open_store(f"sqlite:///{folder / 'lab.db'}")
        self.desk = Desk(self._store, procedure.load("kaltim"), calendar.load("kaltim"))
        self._reporter = Reporter(self.desk, self.hands.now, time.monotonic, (StoreUnavailable,))
        self.tap = Tap(self._reporter)
        latest = Latest(Board(), self.hands.monotonic)
        self._pipeline = Pipeline(latest, self.tap, Fleet(AGENT))
        windows = [self._window()] if setup.announced else []
        plans = [_plan(target, setup, self.hands) for target in targets]
        self._pipeline.watch(plans, Maintenance(windows))
        self._loops: dict[str, Loop] = {}
        self._threads: dict[str, ThreadPoolExecutor] = {}  # one each, as the agent has them
        clocks = Clocks(self.hands.now, self.hands.monotonic)
        for each in plans:
            name = each.target.name
            owner = Owner(each.target, registry.engine(each.target.engine), setup.deadline)
            first = self.hands.monotonic()
            self._loops[name] = Loop(each, owner, self._pipeline, clocks, first, self._send)
            self._threads[name] = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._reporter.start()

    def round(self) -> None:
        """Look at every target once, and move the clock on."""
        time.sleep(self._rest_seconds)
        at = self.hands.monotonic()
        rounds = [self._threads[n].submit(loop.round, at) for n, loop in self._loops.items()]
        for done in rounds:
            done.result()
        for answers in [thread.submit(lambda: None) for thread in self._threads.values()]:
            answers.result()
        until("the desk having heard it all", lambda: self._reporter.counts().pending == 0)
        assert self._reporter.counts().failed == 0
        self.hands.move(self._seconds_a_round)

    def _send(self, request: Request) -> None:
        """Have the partner's own thread answer after its round."""
        loop = self._loops[request.partner]

        def answer() -> None:
            shown = other_side(request, loop.plan, loop.owner, self.hands.now())
            self._pipeline.answer(request, shown)

        self._threads[request.partner].submit(answer)

    def _window(self) -> Window:
        """Maintenance of everything, announced for today."""
        now = self.hands.now()
        start, end = now - timedelta(hours=1), now + timedelta(hours=20)
        return Window("pemeliharaan", start=start, end=end)

    def incidents(self) -> tuple[Incident, ...]:
        return self.desk.queries.open_incidents()

    def close(self) -> None:
        for thread in self._threads.values():
            thread.shutdown()
        for loop in self._loops.values():
            loop.owner.drop()
        self._reporter.stop(5)
        self._store.close()


def _host(setup: Setup) -> str:
    return "lab" if setup.host or setup.local else ""


def _plan(target: Target, setup: Setup, hands: Hands) -> Plan:
    """Every probe of the engine, in every round; of the host's only those the scenario is about.

    The rest of the host (load, memory) is whatever the machine of the tests goes through just now.
    """
    tunings = {}
    probes = [_watching(probe, hands) for probe in registry.probes_for(target.engine)]
    for probe in probes:
        chosen = probe.engine != HOST or probe.name in setup.host
        limits = {
            where.partition(".")[2]: each
            for where, each in {**USUAL, **setup.limits}.items()
            if where.partition(".")[0] == probe.name
        }
        every = None if setup.own_clocks else INTERVAL_SECONDS
        tunings[probe.name] = Tuning(enabled=chosen, every=every, thresholds=limits)
    expects = setup.expects.get(target.name, target.expects)
    tuned = replace(target, probes=tunings, host=_host(setup), agent=AGENT, expects=expects)
    return plan(tuned, probes, INTERVAL_SECONDS, setup.deadline)


_MOVED = MemoryKey[float]("by how much the clock had been moved")


def _watching(probe: Probe, hands: Hands) -> Probe:
    """Durations by the server's clock cannot be simulated, so earlier readings are made older."""
    if probe.name not in _BY_THE_SERVERS_CLOCK:
        return probe

    def read(session: Session) -> Iterable[Measurement]:
        seen_earlier(session.memory, hands.moved - (session.memory.get(_MOVED) or 0.0))
        session.memory.set(_MOVED, hands.moved)
        return probe.read(session)

    return replace(probe, read=read)
