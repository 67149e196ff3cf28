"""Runs the loop of one target step by step, for comparison with scrapes of an exporter.

The real loop, owner, probes, judge and metrics. Each line read is a number of seconds of timetable
to run through without waiting (0: every probe at once, whatever its interval; a name: that probe
alone). The answer is a line of JSON with the cost. Called as ``python -m benchmarks.stepping '<JSON
of the address>'``; ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.evidence import Request
from agent.runtime.maintenance import Maintenance
from agent.runtime.pipeline import Handled, Pipeline
from agent.runtime.scheduler import Clocks, Loop
from agent.runtime.verdict_log import NoDesk
from probes import Address, Evidence, Probe, Reading, Secret, Target
from probes.fleet.plan import Plan, plan
from probes.registry import engine, probes_for
from probes.runner import Owner

INTERVAL_SECONDS = 15.0
DEADLINE_SECONDS = 5.0


@dataclass
class Steps:
    """One target under a monotonic clock that is moved by hand."""

    target: Target
    hand: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    readings: int = 0

    def __post_init__(self) -> None:
        self._plan = plan(
            self.target, probes_for(self.target.engine), INTERVAL_SECONDS, DEADLINE_SECONDS
        )
        clocks = Clocks(lambda: datetime.now(UTC), lambda: self.hand)
        self._board = Board()
        latest = Latest(self._board, clocks.monotonic)
        self._pipeline = Pipeline(latest, NoDesk())
        self._pipeline.watch([self._plan], Maintenance())
        self.owner = Owner(self.target, engine(self.target.engine), DEADLINE_SECONDS)
        self._loop = Loop(self._plan, self.owner, self, clocks, self.hand, lambda request: None)

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled:
        """Count a reading and hand it to the pipeline."""
        self.readings += 1
        if reading.failure is not None:
            self.failures[f"{probe.name}: {reading.failure.kind.value}"] += 1
        return self._pipeline.handle(plan, probe, reading, owner)

    def answer(self, request: Request, taken: Evidence | None) -> None:
        """A single target has no partner that could answer."""
        self._pipeline.answer(request, taken)

    def obey(self, order: str) -> None:
        """Seconds of timetable, 0 for every probe, or the name of one."""
        if order == "0":
            self.take(self._plan.probes)
        elif order in self.periods:
            self.take([probe for probe in self._plan.probes if probe.name == order])
        else:
            self.go(float(order))

    @property
    def periods(self) -> Mapping[str, float]:
        """Seconds between two runs, by probe."""
        return self._plan.periods

    def go(self, seconds: float) -> None:
        """Take every round the timetable holds in the next ``seconds``."""
        end = self.hand + seconds
        while self._loop.timetable.next < end:
            self.hand = self._loop.timetable.next
            self._loop.round(self.hand)
        self.hand = end

    def take(self, due: Sequence[Probe]) -> None:
        """These probes at once."""
        now = Clocks(lambda: datetime.now(UTC), lambda: self.hand).now
        probes = {probe.name: probe for probe in due}
        for reading in self.owner.round(due, now):
            self.handle(self._plan, probes[reading.probe], reading, self.owner)

    @property
    def page(self) -> str:
        """What /metrics would show of this target."""
        return self._board.text(self.hand)


def main(spec: dict[str, Any]) -> None:
    """Obey lines until there are none."""
    password = Secret(spec.pop("password"))
    of = spec.pop("engine")
    steps = Steps(Target("db", of, Address(password=password, **spec)))
    for line in sys.stdin:
        readings, statements = steps.readings, steps.owner.cost.statements
        cpu, wall = time.process_time(), time.perf_counter()
        steps.obey(line.strip())
        said = {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "readings": steps.readings - readings,
            "statements": steps.owner.cost.statements - statements,
            "periods": dict(steps.periods),
            "failures": dict(steps.failures),
            "series": sum(1 for each in steps.page.splitlines() if each[:1] != "#"),
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
