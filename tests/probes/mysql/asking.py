"""Functions that run this engine's probes: one reading, or an owner with memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from probes import Finding, Measurement, Probe, Reading, Target, registry
from probes.judge import Judge
from probes.model import Text
from probes.mysql.connection.connect import connect
from probes.runner import Owner, take
from probes.wire import deadline
from tests.servers.mariadb import eventually
from tests.support.evidence import Told, all_told

BUDGET = 10.0
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SNAPSHOT_SECONDS = 0.15
"""INNODB_TRX is refreshed only if it was not read for 0.1 s."""


def probe(name: str) -> Probe:
    return next(each for each in registry.probes_for("mysql") if each.name == name)


def reading(name: str, target: Target, budget: float = BUDGET) -> Reading:
    with deadline.within(BUDGET):
        session = connect(target, "test")
    try:
        return take(probe(name), target, session, NOW, budget)
    finally:
        session.close()


def measured(name: str, target: Target) -> dict[str, Measurement]:
    """The probe's measurements now, by measure; fails the test when it failed."""
    taken = reading(name, target)
    assert taken.failure is None, taken.failure
    return {each.measure: each for each in taken.measurements}


def shown(name: str, target: Target) -> list[Told]:
    """What the probe would freeze now, in English."""
    asked = probe(name).exhibits
    assert asked is not None
    with deadline.within(BUDGET):
        session = connect(target, "test")
        try:
            return all_told(asked(session))
        finally:
            session.close()


def findings(name: str, target: Target, times: int = 1) -> dict[str, Finding]:
    """The verdicts after ``times`` readings, by measure."""
    judge = Judge()
    found: list[Finding] = []
    for _ in range(times):
        found = judge.assess(target, probe(name), reading(name, target)).findings
    return {each.measure: each for each in found}


def settled() -> None:
    """Let InnoDB's own copy of its transactions grow old enough to be renewed."""
    time.sleep(SNAPSHOT_SECONDS)


def english(value: object) -> str:
    """A detail in English; it must exist in both languages."""
    assert isinstance(value, Text)
    assert value.id
    return value.en


class Watched:
    """A target with a memory, as the agent keeps it: for rates and for what was seen before."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.owner = Owner(target, registry.engine("mysql"), BUDGET)
        self.judge = Judge()

    def reading(self, name: str) -> Reading:
        return next(iter(self.owner.round([probe(name)], lambda: NOW)))

    def values(self, name: str) -> dict[tuple[str, str], Measurement]:
        """By measure and subject; the test fails when the reading did."""
        taken = self.reading(name)
        assert taken.failure is None, taken.failure
        return {(each.measure, each.subject): each for each in taken.measurements}

    def value(self, name: str, measure: str, subject: str = "") -> float | None:
        found = self.values(name).get((measure, subject))
        return None if found is None else found.value

    def findings(self, name: str, times: int = 1) -> dict[str, Finding]:
        found: list[Finding] = []
        for _ in range(times):
            found = self.judge.assess(self.target, probe(name), self.reading(name)).findings
        return {each.measure: each for each in found}

    def a_rate(self, name: str, measure: str, enough: Callable[[float], bool]) -> Measurement:
        """The first rate that is ``enough``: rates use the server's whole seconds."""

        def told() -> Measurement | None:
            found = self.values(name).get((measure, ""))
            return found if found is not None and enough(found.value) else None

        return eventually(told, f"{name} tells {measure}")


@contextmanager
def watched(target: Target) -> Iterator[Watched]:
    each = Watched(target)
    try:
        yield each
    finally:
        each.owner.drop()
