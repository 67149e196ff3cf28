"""Evidence is of its own onset, and is taken again when the cause is another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from probes import (
    Evidence,
    Exhibit,
    Finding,
    Measure,
    Measurement,
    Probe,
    Severity,
    Text,
    Threshold,
)
from probes.local.down_evidence import LOG
from probes.runner import Owner
from tests.agent.runtime.test_pipeline import PATIENT, Line
from tests.support.builders import NOON, a_probe, a_reading
from tests.support.fakes import FakeServer


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


def test_a_subject_that_was_gone_for_a_day_gets_new_evidence() -> None:
    line = Line(
        a_probe(
            measures=(Measure("slot_bytes", "bytes", "Kept by a slot", "slot"),),
            thresholds=(
                Threshold("slot_bytes", Text("{subject}"), Text(""), "replication", critical=1.0),
            ),
            judged_on_failure="",
        )
    )

    def reads(seconds: float, *found: Measurement) -> list[Finding]:
        reading = a_reading(measurements=found, at=NOON + timedelta(seconds=seconds))
        line.box.findings.clear()
        line.pipeline.handle(line.plan, line.plan.probes[0], reading, line.owner)
        return [each for each in line.box.findings if each.opens]

    reads(0, Measurement("slot_bytes", 2.0, "cabang"))
    for second in range(15, 300, 15):
        reads(second)
    day = 24 * 3600.0
    (opening,) = reads(day, Measurement("slot_bytes", 2.0, "cabang"))
    assert opening.evidence is not None
    assert opening.evidence.taken_at == NOON + timedelta(seconds=day)


def test_the_next_incident_of_the_same_kind_has_evidence_of_its_own() -> None:
    line = Line()
    for second in (0, 15):
        line.reads(0.0, second)
    for second in (30, 45):
        line.reads(1.0, second)
    line.reads(0.0, 120)
    (opening,) = line.reads(0.0, 135)
    assert opening.opens
    assert opening.evidence == Evidence(NOON + timedelta(seconds=120), ())


def test_no_evidence_of_a_passing_bad_reading_is_shown_for_a_later_onset() -> None:
    line = Line()
    line.reads(0.0)
    line.reads(1.0, 15)
    line.reads(0.0, 60)
    (opening,) = line.reads(0.0, 75)
    assert opening.evidence == Evidence(NOON + timedelta(seconds=60), ())


def locked_by(line: Line, holder: int | None, seconds: float) -> Finding | None:
    """The finding at a reading at which this session holds the lock; None: nobody waits."""
    measurement = Measurement("up", float(holder is None), detail={"pid": holder} if holder else {})
    at = NOON + timedelta(seconds=seconds)
    reading = a_reading(measurements=(measurement,), at=at)
    line.box.findings.clear()
    line.pipeline.handle(line.plan, line.plan.probes[0], reading, line.owner)
    return next((each for each in line.box.findings if each.measure == "up"), None)


def test_a_flap_of_a_standing_finding_with_the_same_holder_is_asked_for_evidence_once() -> None:
    line = Line(a_probe(thresholds=(replace(PATIENT.thresholds[0], clear_after=3),)))
    for second, holder in enumerate((7, 7, None, 7, None, 7)):
        locked_by(line, holder, second * 15)
    assert line.owner.gathered == 1


def test_a_flap_of_a_standing_finding_with_another_holder_is_asked_anew() -> None:
    line = Line(a_probe(thresholds=(replace(PATIENT.thresholds[0], clear_after=3),)))
    for second, holder in enumerate((7, 7, None)):
        locked_by(line, holder, second * 15)
    found = locked_by(line, 8, 60)
    assert found is not None
    assert found.evidence == Evidence(NOON + timedelta(seconds=60), ())


def test_evidence_is_taken_again_when_the_finding_turns_critical() -> None:
    limits = replace(PATIENT.thresholds[0], warning=0.5, raise_after=1)
    line = Line(a_probe(thresholds=(limits,)))
    (warned,) = line.reads(0.4)
    assert warned.severity is Severity.WARNING
    line.reads(0.4, 15)
    (worse,) = line.reads(0.0, 30)
    assert worse.severity is Severity.CRITICAL
    assert worse.evidence == Evidence(NOON + timedelta(seconds=30), ())
    line.reads(0.0, 45)
    assert line.owner.gathered == 2


def test_another_holder_of_a_standing_lock_is_asked_for_evidence_once_a_minute_at_most() -> None:
    line = Line()
    for second in range(0, 60, 5):
        locked_by(line, second + 7, second)
    assert line.owner.gathered == 1
    found = locked_by(line, 99, 60)
    assert found is not None
    assert found.evidence == Evidence(NOON + timedelta(seconds=60), ())
    assert line.owner.gathered == 2


def test_a_cause_that_becomes_known_later_is_asked_for_evidence_at_once() -> None:
    line = Line()
    line.reads(0.0)
    found = locked_by(line, 7, 15)
    assert found is not None
    assert found.evidence == Evidence(NOON + timedelta(seconds=15), ())


class Logs(Owner):
    """An owner whose server logs an error a while after it began to fail."""

    gathered = 0

    def __init__(self, line: Line, after_seconds: float) -> None:
        super().__init__(line.plan.target, FakeServer().engine)
        self.from_ = NOON + timedelta(seconds=after_seconds)

    def gather(self, probe: Probe, now: datetime) -> Evidence | None:
        self.gathered += 1
        rows = (("FATAL: password authentication failed",),) if now >= self.from_ else ()
        return Evidence(now, (Exhibit(LOG, ("line",), rows),))


def test_evidence_that_came_before_the_log_said_why_is_taken_once_more() -> None:
    line = Line()
    owner = Logs(line, after_seconds=5)
    for second in range(0, 120, 15):
        found = bad(line, owner, second)
    assert owner.gathered == 2
    assert found is not None and found.evidence is not None
    assert found.evidence.taken_at == NOON + timedelta(seconds=15)
    assert found.evidence.exhibits[0].rows


def test_evidence_of_the_onset_stays_when_the_log_says_nothing_new() -> None:
    line = Line()
    owner = Logs(line, after_seconds=1000)
    for second in range(0, 120, 15):
        found = bad(line, owner, second)
    assert owner.gathered == 2
    assert found is not None and found.evidence is not None
    assert found.evidence.taken_at == NOON


def bad(line: Line, owner: Owner, seconds: float) -> Finding | None:
    """The finding at one more bad reading, with the evidence of this owner."""
    at = NOON + timedelta(seconds=seconds)
    reading = a_reading(measurements=(Measurement("up", 0.0),), at=at)
    line.box.findings.clear()
    line.pipeline.handle(line.plan, line.plan.probes[0], reading, owner)
    return next((each for each in line.box.findings if each.measure == "up"), None)
