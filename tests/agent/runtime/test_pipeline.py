"""The pipeline: metrics first, evidence at the first bad reading, then the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.metrics.readings import Latest
from agent.metrics.target_health import targets
from agent.metrics.text_format import Board
from agent.runtime.evidence import Request, other_side
from agent.runtime.maintenance import Maintenance, Window
from agent.runtime.pipeline import Pipeline
from probes import (
    Evidence,
    Exhibit,
    FailureKind,
    Finding,
    Measurement,
    Probe,
    Reading,
    Severity,
    Text,
    Threshold,
)
from probes.fleet.plan import Plan
from probes.judge import Recalled
from probes.runner import Owner
from tests.support.builders import NOON, a_failure, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer
from tests.support.words import both

PATIENT = a_probe(
    thresholds=(
        Threshold(
            "up",
            both("{target} mati", "{target} is down"),
            Text(""),
            "availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
    )
)


class Box:
    """Keeps what was queued, and the content of /metrics at that moment."""

    def __init__(self, board: Board, clock: HandClock) -> None:
        self.findings: list[Finding] = []
        self.seen: list[str] = []
        self.waits: list[float] = []
        self._board, self._clock = board, clock

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.findings.append(finding)
        self.waits.append(wait_seconds)
        if finding.measure == "up":
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
        self.pipeline.watch([self.plan], Maintenance())

    def reads(self, up: float, seconds: float = 0, **changes: Any) -> list[Finding]:
        """The findings that reach the desk after one more reading."""
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
    line.pipeline.watch([line.plan, other], Maintenance())
    line.reads(0.0)
    bad = a_reading("other", measurements=(Measurement("up", 0.0),))
    line.pipeline.handle(other, other.probes[0], bad, line.owner)
    assert [f for f in line.box.findings if f.measure == "up"] == []
    assert line.reads(0.0, 15)[0].severity is Severity.CRITICAL


def test_a_changed_target_keeps_its_streaks_and_one_that_left_starts_anew() -> None:
    line = Line()
    line.reads(0.0)
    line.plan = Plan(a_target(role="replica"), line.plan.probes, 15.0, 1.0)
    line.pipeline.watch([line.plan], Maintenance())
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


def replicating(**changes: Any) -> Probe:
    return replace(
        PATIENT, thresholds=(replace(PATIENT.thresholds[0], family="replication", **changes),)
    )


class Pair:
    """A replica and its primary, each with an owner that shows who was asked."""

    def __init__(self, raise_after: int) -> None:
        self.probe = replicating(raise_after=raise_after)
        self.requests: list[Request] = []
        self.line = Line(self.probe)
        self.plans = {
            role: Plan(a_target(role, cluster="c", role=role), (self.probe,), 15.0, 1.0)
            for role in ("primary", "replica")
        }
        self.box = self.line.box
        self.pipeline = Pipeline(self.line.latest, self.box)
        self.pipeline.watch(list(self.plans.values()), Maintenance())
        self.owners = {role: Shows(plan.target) for role, plan in self.plans.items()}
        for role in ("primary", "replica"):
            self.reads(role, 1.0)
        self.box.findings.clear()
        self.box.waits.clear()

    def reads(self, role: str, up: float, seconds: float = 0) -> None:
        at = NOON + timedelta(seconds=seconds)
        reading = a_reading(role, measurements=(Measurement("up", up),), at=at)
        outcome = self.pipeline.handle(self.plans[role], self.probe, reading, self.owners[role])
        self.requests += outcome.requests

    def answers(self) -> None:
        """The partner shows its side."""
        request = self.requests.pop()
        partner = request.partner
        shown = other_side(request, self.plans[partner], self.owners[partner], NOON)
        self.pipeline.answer(request, shown)

    def told(self) -> list[list[str]]:
        """The titles of the evidence of each opening finding."""
        return [
            [each.title.en for each in finding.evidence.exhibits] if finding.evidence else []
            for finding in self.box.findings
            if finding.opens
        ]


class Shows(Owner):
    """An owner with evidence to show."""

    def __init__(self, target: Any) -> None:
        super().__init__(target, FakeServer().engine)
        self.can_show = True

    def gather(self, probe: Probe, now: Any) -> Evidence | None:
        if not self.can_show:
            return None
        return Evidence(now, (Exhibit(both("Antrean", "Queue"), (), ()),))


def test_evidence_of_replication_takes_both_sides() -> None:
    pair = Pair(raise_after=2)
    pair.reads("replica", 0.0, 15)
    pair.answers()
    pair.reads("replica", 0.0, 30)
    assert pair.told() == [["Queue", "primary: Queue"]]
    assert set(pair.box.waits) == {0.0}


def test_a_report_that_opens_at_once_waits_a_moment_for_the_other_side() -> None:
    pair = Pair(raise_after=1)
    pair.reads("replica", 0.0, 15)
    assert max(pair.box.waits) == 0.8
    pair.answers()
    assert pair.told()[-1] == ["Queue", "primary: Queue"]
    assert pair.box.waits[-1] == 0.0


def test_an_other_side_that_never_answers_is_waited_for_once() -> None:
    pair = Pair(raise_after=1)
    pair.reads("replica", 0.0, 15)
    pair.box.waits.clear()
    pair.reads("replica", 0.0, 30)
    assert set(pair.box.waits) == {0.0}
    assert pair.told()[-1] == ["Queue"]


def test_an_other_side_that_takes_no_request_is_not_waited_for() -> None:
    pair = Pair(raise_after=1)
    pair.reads("replica", 0.0, 15)
    pair.pipeline.answer(pair.requests.pop(), None)
    assert pair.box.waits[-1] == 0.0
    assert pair.told()[-1] == ["Queue"]


def test_an_other_side_that_cannot_be_asked_is_said_so() -> None:
    pair = Pair(raise_after=2)
    pair.owners["primary"].can_show = False
    pair.reads("replica", 0.0, 15)
    pair.answers()
    pair.reads("replica", 0.0, 30)
    assert pair.told() == [["Queue", "primary: this side could not be asked"]]


def windowed(line: Line, minutes: int) -> None:
    window = Window("patch", start=NOON, end=NOON + timedelta(minutes=minutes))
    line.pipeline.watch([line.plan], Maintenance([window]))


def test_a_window_holds_incidents_back_and_what_still_fails_at_its_end_opens() -> None:
    line = Line()
    windowed(line, 10)
    line.reads(1.0)
    line.reads(0.0, 60)
    (held,) = line.reads(0.0, 120)
    assert (held.severity, held.opens) == (Severity.CRITICAL, False)
    (after,) = line.reads(0.0, 600)
    assert after.opens
    assert after.hint.en.endswith("It has stood since the maintenance window patch.")
    assert after.evidence is not None
    assert after.evidence.taken_at == NOON + timedelta(seconds=60)


def test_what_was_mended_within_its_window_opens_nothing() -> None:
    line = Line()
    windowed(line, 10)
    for second in (0, 60, 120):
        line.reads(0.0, second)
    for second in (180, 240, 300):
        line.reads(1.0, second)
    line.reads(1.0, 600)
    assert not any(finding.opens for finding in line.box.findings)


def test_the_begin_and_end_of_a_window_are_logged_and_on_metrics(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "sigap")
    line = Line()
    windowed(line, 10)
    line.reads(1.0)
    shown = 'sigap_maintenance_active{target="simpeg",window="patch"} 1.0'
    assert shown in line.board.text(0)
    line.reads(1.0, 600)
    assert shown not in line.board.text(0)
    said = [record.message for record in caplog.records if "maintenance" in record.message]
    assert said == [
        "simpeg: maintenance 'patch' began; no incident is opened until 2026-11-23T04:10+00:00",
        "simpeg: maintenance 'patch' ended",
    ]


def test_trouble_that_stood_before_a_start_stays_until_readings_clear_it() -> None:
    line = Line()
    stood = Recalled("availability", "up", "", Severity.CRITICAL, NOON - timedelta(hours=1))
    line.pipeline.restore({"simpeg": (stood,)})
    (first,) = line.reads(0.0)
    assert (first.severity, first.since) == (Severity.CRITICAL, stood.since)
    line.reads(1.0, 15)
    (cleared,) = line.reads(1.0, 30)
    assert cleared.severity is Severity.CLEAR


def test_a_target_that_is_back_is_not_judged_by_what_was_open_at_the_start() -> None:
    line = Line(a_probe(thresholds=(replace(PATIENT.thresholds[0], clear_after=3),)))
    stood = Recalled("availability", "up", "", Severity.CRITICAL, NOON)
    line.pipeline.restore({"simpeg": (stood,)})
    assert line.reads(1.0)[0].severity is Severity.CRITICAL
    line.pipeline.forget("simpeg")
    assert line.reads(1.0, 15)[0].severity is Severity.CLEAR


def test_what_sigap_costs_is_on_metrics_and_judged() -> None:
    line = Line()
    for _ in range(4):
        line.owner.cost.opened()
    line.reads(1.0)
    own = [f for f in line.box.findings if f.measure == "own_sessions"]
    assert own[0].opens
    assert own[0].title.en == "Sigap had 4 sessions open at once on simpeg (budget 3)"
    text = line.board.text(0)
    assert 'sigap_own_sessions{target="simpeg"} 4.0' in text
    assert 'sigap_agent_lock_waits_total{target="simpeg"} 0.0' in text


def test_the_pages_say_what_the_server_turned_out_to_be_also_while_it_is_down() -> None:
    line = Line()
    server = FakeServer()
    line.owner = Witness(line.plan.target, server.engine)
    list(line.owner.round(line.plan.probes, lambda: NOON))  # logs in
    line.reads(1.0)
    server.refuses = FailureKind.REFUSED
    line.owner.drop()
    line.reads(0.0, 15)
    (told,) = targets(line.latest, NOON, lambda fingerprint: "")
    assert (told.flavour, told.version) == ("postgresql", "15.18")


def test_a_server_that_fails_in_another_way_shows_evidence_of_that_and_not_of_before() -> None:
    line = Line()

    def fails(kind: FailureKind, seconds: float) -> None:
        at = NOON + timedelta(seconds=seconds)
        reading = a_reading(measurements=(), failure=a_failure(kind), at=at)
        line.pipeline.handle(line.plan, line.plan.probes[0], reading, line.owner)

    fails(FailureKind.TIMEOUT, 0)
    fails(FailureKind.TIMEOUT, 15)
    line.reads(1.0, 30)
    line.reads(1.0, 45)
    assert line.owner.gathered == 1
    fails(FailureKind.REFUSED, 60)
    assert line.owner.gathered == 2
