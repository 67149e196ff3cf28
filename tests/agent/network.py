"""A simulated network: servers on hosts, an agent that reads them in turn, and the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.pipeline import Pipeline
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Incident
from incidents.procedure import load as procedure
from incidents.store import open_store
from probes import FailureKind, Finding, Fingerprint, Target
from probes.fleet.reachability import Reach
from probes.plan import Plan
from probes.runner import Owner
from tests.agent.runtime.test_pipeline import PATIENT
from tests.support.builders import NOON, a_failure, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

INTERVAL = 15.0


class Network:
    """Moved by hand, a round of all targets at a time; what the agent holds back waits here too."""

    def __init__(self, folder: Path, **hosts: str) -> None:
        self.targets = [
            a_target(name, machine=host, host="" if host else "pantau", agent="pantau")
            for name, host in hosts.items()
        ]
        self.silent: dict[str, FailureKind] = {}
        self.reached: set[str] = set()  # of these: whose host takes connections all the same
        self.rounds = 0
        self.reach = Reach("pantau")
        self.reach.take_seats(self.targets)
        self.held: list[tuple[str, float]] = []
        self._second = 0.0
        self._not_before: dict[Fingerprint, float] = {}
        self._waiting: dict[Fingerprint, Finding] = {}
        self._store = open_store(f"sqlite:///{folder / 'reach.db'}")
        self.desk = Desk(self._store, procedure.load("kaltim"), calendar.load("kaltim"))
        clock = HandClock()
        self._pipeline = Pipeline(
            Latest(Board(), clock.monotonic),
            self,
            shared=self.reach,
            hold=self._hold,
        )
        self._engine = FakeServer().engine

    def _hold(self, fingerprint: Fingerprint, seconds: float) -> None:
        self.held.append((str(fingerprint), seconds))
        self._not_before[fingerprint] = self._second + seconds

    def put(self, finding: Finding) -> None:
        """What is held waits, and of each finding the newest; as in the reporter."""
        self._waiting[finding.fingerprint] = finding
        self._tell()

    def _tell(self) -> None:
        for name in list(self._waiting):
            if self._not_before.get(name, 0.0) <= self._second:
                finding = self._waiting.pop(name)
                self.desk.report(finding, finding.at)

    def round(self, times: int = 1) -> None:
        for _ in range(times):
            self.rounds += 1
            for place, target in enumerate(self.targets):
                self.ask(target, self.rounds * INTERVAL + place)

    def ask(self, target: Target, second: float) -> None:
        self._second = second
        self._tell()
        at = NOON + timedelta(seconds=second)
        kind = self.silent.get(target.name)
        reading = a_reading(target.name, at=at)
        if kind is not None:
            failure = replace(a_failure(kind), reached=target.name in self.reached)
            reading = replace(reading, measurements=(), failure=failure)
        plan = Plan(target, (PATIENT,), INTERVAL, 2.0)
        self._pipeline.handle(plan, PATIENT, reading, Owner(target, self._engine, 2.0))

    @property
    def open(self) -> tuple[Incident, ...]:
        return self.desk.open_incidents()

    @property
    def titles(self) -> list[str]:
        return [incident.title.en for incident in self.open]

    def red(self) -> list[str]:
        return sorted(i.title.en for i in self.open if i.red)


FOUR = {"a": "h1", "b": "h2", "c": "h3", "d": "h4"}


def all_silent(network: Network, kind: FailureKind = FailureKind.TIMEOUT) -> None:
    network.silent = {t.name: kind for t in network.targets if t.machine}
