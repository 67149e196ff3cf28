"""A simulated network: servers on hosts, an agent that reads them in turn, and the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.maintenance import Maintenance
from agent.runtime.pipeline import Pipeline
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Incident
from incidents.procedure import load as procedure
from incidents.store import open_store
from probes import FailureKind, Finding, Fingerprint, Target
from probes.fleet.fleet import Fleet
from probes.fleet.plan import Plan
from probes.runner import Owner
from tests.agent.runtime.test_pipeline import PATIENT
from tests.support.builders import NOON, a_failure, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

INTERVAL = 15.0


class Told:
    """A queue that keeps every finding."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.findings.append(finding)


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
        self.waits: list[tuple[str, float]] = []
        self.told = Told()
        self._second = 0.0
        self._not_before: dict[Fingerprint, float] = {}
        self._waiting: dict[Fingerprint, Finding] = {}
        self._store = open_store(f"sqlite:///{folder / 'reach.db'}")
        self.desk = Desk(self._store, procedure.load("kaltim"), calendar.load("kaltim"))
        clock = HandClock()
        self.board = Board()
        self.plans = {each.name: Plan(each, (PATIENT,), INTERVAL, 2.0) for each in self.targets}
        self.pipeline = Pipeline(Latest(self.board, clock.monotonic), self, Fleet("pantau"))
        self.pipeline.watch(list(self.plans.values()), Maintenance())
        self._engine = FakeServer().engine

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        """What is delayed waits, and of each finding the newest; as in the reporter."""
        self.told.put(finding)
        self.waits.append((str(finding.fingerprint), wait_seconds))
        self._not_before[finding.fingerprint] = self._second + wait_seconds
        self._waiting[finding.fingerprint] = finding
        self._tell()

    def said(self, measure: str) -> list[Finding]:
        """Every finding of one measure so far."""
        return [each for each in self.told.findings if each.measure == measure]

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
        owner = Owner(target, self._engine, 2.0)
        self.pipeline.handle(self.plans[target.name], PATIENT, reading, owner)

    @property
    def open(self) -> tuple[Incident, ...]:
        return self.desk.queries.open_incidents()

    @property
    def titles(self) -> list[str]:
        return [incident.title.en for incident in self.open]

    def red(self) -> list[str]:
        return sorted(i.title.en for i in self.open if i.red)


FOUR = {"a": "h1", "b": "h2", "c": "h3", "d": "h4"}


def all_silent(network: Network, kind: FailureKind = FailureKind.TIMEOUT) -> None:
    network.silent = {t.name: kind for t in network.targets if t.machine}
