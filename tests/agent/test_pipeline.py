"""The pipeline: metrics first, evidence at the first bad reading, then the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.exposition import Board
from agent.latest import Latest
from agent.pipeline import Pipeline
from agent.scheduler import Plan
from probes import Evidence, Finding, Measurement, Probe, Reading, Severity, Text, Threshold
from probes.runner import Owner
from tests.support.builders import NOON, a_failure, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

PATIENT = a_probe(
    thresholds=(
        Threshold(
            "up",
            Text("{target} mati", "{target} is down"),
            Text("", ""),
            "availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
    )
)


class Box:
    """Keeps what was put, and what /metrics said at that moment."""

    def __init__(self, board: Board, clock: HandClock) -> None:
        self.findings: list[Finding] = []
        self.seen: list[str] = []
        self._board, self._clock = board, clock

    def put(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.seen.append(self._board.text(self._clock.monotonic()))


class Witness(Owner):
    """An owner that counts how often evidence was asked for."""

    gathered = 0

    def gather(self, probe: Probe, now: Any) -> Evidence | None:
        self.gathered += 1
        return Evidence(now, ())


class Line:
    """A pipeline with everything around it."""

    def __init__(self, probe: Probe = PATIENT) -> None:
        self.clock = HandClock()
        self.board = Board()
        self.latest = Latest(self.board, self.clock.monotonic)
        self.box = Box(self.board, self.clock)
        self.pipeline = Pipeline(self.latest, self.box)
        self.plan = Plan(a_target(), (probe,), 15.0, 1.0)
        self.owner = Witness(self.plan.target, FakeServer().engine)
        self.latest.declare(self.plan)

    def reads(self, up: float, seconds: float = 0, **changes: Any) -> list[Finding]:
        """What the desk hears of one more reading."""
        at = NOON + timedelta(seconds=seconds)
        reading: Reading = a_reading(measurements=(Measurement("up", up),), at=at, **changes)
        before = len(self.box.findings)
        self.pipeline.handle(self.plan, self.plan.probes[0], reading, self.owner)
        return [f for f in self.box.findings[before:] if f.measure == "up"]


def test_a_reading_is_on_metrics_before_the_desk_hears_of_it() -> None:
    line = Line()
    line.reads(1.0)
    assert 'sigap_target_up{target="simpeg",engine="postgresql"} 1.0' in line.box.seen[0]
    assert (
        'sigap_finding_severity{target="simpeg",probe="availability",measure="up"} 0.0'
        in (line.box.seen[0])
    )


def test_evidence_is_taken_once_at_the_first_bad_reading_and_kept_until_it_opens() -> None:
    line = Line()
    (good,) = line.reads(1.0)
    assert good.evidence is None
    (first,) = line.reads(0.0, 15)
    assert (first.severity, first.evidence) == (Severity.CLEAR, None)
    (second,) = line.reads(0.0, 30)
    assert second.opens
    assert second.evidence == Evidence(NOON + timedelta(seconds=15), ())
    assert line.owner.gathered == 1


def test_evidence_of_trouble_that_passed_is_taken_anew_next_time() -> None:
    line = Line()
    line.reads(1.0)
    line.reads(0.0, 15)
    line.reads(1.0, 60)
    line.reads(1.0, 60 + 11 * 60)
    line.reads(0.0, 15 + 12 * 60)
    (opening,) = line.reads(0.0, 15 + 13 * 60)
    assert opening.evidence is not None
    assert opening.evidence.taken_at == NOON + timedelta(seconds=15 + 12 * 60)
    assert line.owner.gathered == 2


def test_a_flapping_finding_is_asked_for_evidence_once() -> None:
    line = Line()
    for minute in range(0, 60, 2):
        line.reads(0.0, minute * 60)
        line.reads(1.0, minute * 60 + 60)
    assert line.owner.gathered == 1


def test_after_a_start_trouble_that_stands_is_never_told_as_clear() -> None:
    line = Line(a_probe(thresholds=(replace(PATIENT.thresholds[0], raise_after=3),)))
    assert line.reads(0.0) == []
    assert line.reads(0.0, 15) == []
    (third,) = line.reads(0.0, 30)
    assert third.severity is Severity.CRITICAL


def test_after_a_start_a_single_bad_reading_is_followed_by_the_all_clear() -> None:
    line = Line()
    assert line.reads(0.0) == []
    (good,) = line.reads(1.0, 15)
    assert good.severity is Severity.CLEAR


def test_every_target_has_streaks_of_its_own() -> None:
    line = Line()
    other = Plan(a_target("other"), line.plan.probes, 15.0, 1.0)
    line.latest.declare(other)
    line.reads(0.0)
    bad = a_reading("other", measurements=(Measurement("up", 0.0),))
    line.pipeline.handle(other, other.probes[0], bad, line.owner)
    assert [f for f in line.box.findings if f.measure == "up"] == []
    assert line.reads(0.0, 15)[0].severity is Severity.CRITICAL


def test_a_changed_target_keeps_its_streaks_and_one_that_left_starts_anew() -> None:
    line = Line()
    line.reads(0.0)
    line.plan = Plan(a_target(role="replica"), line.plan.probes, 15.0, 1.0)
    line.latest.declare(line.plan)
    assert line.reads(0.0, 15)[0].severity is Severity.CRITICAL
    line.pipeline.forget("simpeg")
    assert line.reads(0.0, 30) == []


def test_a_server_going_and_coming_back_is_one_log_sentence_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sigap")
    line = Line()
    probe = line.plan.probes[0]
    for failure in (None, None, a_failure(), a_failure(), None):
        line.pipeline.handle(line.plan, probe, a_reading(failure=failure), line.owner)
    assert [record.message for record in caplog.records] == [
        "simpeg answers",
        "simpeg cannot be used: refused",
        "simpeg answers again",
    ]
