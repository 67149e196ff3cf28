"""The role in a finding: the learned one, else the one last seen, else who is the primary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.maintenance import Maintenance
from agent.runtime.pipeline import Pipeline
from probes import Finding, Measure, Measurement, Severity
from probes.fleet.plan import Plan
from probes.runner import Owner
from tests.support.builders import NOON, a_failure, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

PROBE = a_probe(measures=(Measure("up", "", "Up"), Measure("is_replica", "", "1 on a replica")))


class Agent:
    """Monitors two servers of one cluster whose roles are neither declared nor learned yet."""

    def __init__(self) -> None:
        self.told: list[Finding] = []
        self.plans = {
            name: Plan(a_target(name, cluster="simpeg"), (PROBE,), 15.0, 2.0) for name in "ab"
        }
        latest = Latest(Board(), HandClock().monotonic)
        self._pipeline = Pipeline(latest, self)
        self._pipeline.watch(list(self.plans.values()), Maintenance())
        self._second = 0

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.told.append(finding)

    def reads(self, name: str, role: str) -> None:
        """One reading; ``role`` empty: the server refuses."""
        self._second += 15
        at = NOON + timedelta(seconds=self._second)
        seen = (Measurement("up", 1.0), Measurement("is_replica", float(role == "replica")))
        reading = a_reading(name, at=at, measurements=seen)
        if not role:
            reading = replace(reading, measurements=(), failure=a_failure())
        plan = self.plans[name]
        self._pipeline.handle(plan, PROBE, reading, Owner(plan.target, FakeServer().engine, 2.0))

    def about_down(self) -> dict[str, str]:
        (last,) = [each for each in self.told if each.severity is Severity.CRITICAL][-1:]
        return dict(last.about)


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_a_role_that_was_seen_is_known_before_it_is_learned_also_of_a_server_that_is_down(
    role: str,
) -> None:
    agent = Agent()
    agent.reads("a", role)
    agent.reads("a", "")
    assert agent.about_down()["role"] == role


def test_a_server_never_reached_has_no_role_and_no_leader_as_long_as_nobody_is_known() -> None:
    agent = Agent()
    agent.reads("b", "replica")
    agent.reads("a", "")
    assert not {"role", "leader"} & agent.about_down().keys()


def test_of_a_server_never_reached_it_is_said_that_another_one_is_the_primary() -> None:
    agent = Agent()
    agent.reads("b", "primary")
    agent.reads("a", "")
    about = agent.about_down()
    assert about["leader"] == "b"
    assert "role" not in about
