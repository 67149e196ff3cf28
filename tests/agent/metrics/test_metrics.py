"""/metrics: documented names, no invented values, and valid for promtool."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from agent.metrics.readings import SEVERITY, Latest, ServerFacts
from agent.metrics.registry import Metrics
from agent.metrics.text_format import Board, Family
from agent.runtime.pipeline import Pipeline
from agent.runtime.scheduler import Scheduler
from agent.runtime.self_metrics import of_scheduler, skipped_rounds
from agent.runtime.verdict_log import NoDesk
from probes import (
    FailureKind,
    Limits,
    Measure,
    Measurement,
    Probe,
    Severity,
    Text,
    Threshold,
    Tuning,
)
from probes.fleet.observation import observed
from probes.fleet.plan import Plan
from probes.runner import Owner
from probes.words.cost import Cost
from tests.support.builders import NOON, a_failure, a_finding, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer
from tests.support.words import both

LAG = a_probe(
    "replication_lag",
    judged_on_failure="",
    measures=(
        Measure("replication_lag_seconds", "seconds", "How far behind", "replica"),
        Measure("blocked_total", "", "Locks waited for"),
    ),
    thresholds=(
        Threshold(
            "replication_lag_seconds", both("a", "a"), Text(""), "replication",
            warning=30.0, critical=300.0,
        ),
    ),
)  # fmt: skip
VOLUMES = a_probe(
    "volumes",
    engine="host",
    judged_on_failure="",
    measures=(Measure("volume_free_bytes", "bytes", "Room left", "volume"),),
    thresholds=(),
)


class Bench:
    """A board with two targets' worth of probes."""

    def __init__(self, **changes: Any) -> None:
        self.clock = HandClock()
        self.board = Board()
        self.latest = Latest(self.board, self.clock.monotonic)
        self.plan = Plan(
            a_target(cluster="simpeg", role="primary", **changes),
            (a_probe(), LAG, VOLUMES),
            15.0,
            1.0,
        )
        self.latest.declare(self.plan)
        self.role = ""

    def reads(self, probe: Probe, *measurements: Measurement, **changes: Any) -> None:
        reading = a_reading(probe=probe.name, measurements=measurements, **changes)
        self.latest.publish(
            observed(self.plan, probe, reading),
            ServerFacts(Cost(sessions=1, seconds=0.5), role=self.role),
        )

    @property
    def text(self) -> str:
        return self.board.text(self.clock.monotonic())

    def lines(self, name: str) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith(name + "{")]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_measure_is_named_by_its_engine_and_labelled_by_its_subject(bench: Bench) -> None:
    bench.reads(LAG, Measurement("replication_lag_seconds", 412.0, "replica1"))
    bench.reads(VOLUMES, Measurement("volume_free_bytes", 5e9, "/srv"))
    assert bench.lines("sigap_postgresql_replication_lag_seconds") == [
        'sigap_postgresql_replication_lag_seconds{target="simpeg",replica="replica1"} 412.0'
    ]
    assert bench.lines("sigap_volume_free_bytes") == [
        'sigap_volume_free_bytes{target="simpeg",volume="/srv"} 5000000000.0'
    ]


def test_a_target_is_up_down_or_unknown(bench: Bench) -> None:
    labels = '{target="simpeg",engine="postgresql",cluster="simpeg",role="primary"}'
    assert bench.lines("sigap_target_up") == []
    bench.reads(a_probe(), Measurement("up", 1.0))
    assert bench.lines("sigap_target_up") == [f"sigap_target_up{labels} 1.0"]
    for down in (FailureKind.TIMEOUT, FailureKind.REFUSED):
        bench.reads(a_probe(), failure=a_failure(down))
        assert bench.lines("sigap_target_up") == [f"sigap_target_up{labels} 0.0"]
    bench.reads(a_probe(), failure=a_failure(FailureKind.BROKEN))
    assert bench.lines("sigap_target_up") == []


def test_a_learned_role_is_on_the_same_series_as_a_declared_one() -> None:
    bench = Bench()
    bench.plan = replace(bench.plan, target=a_target(cluster="simpeg", role=""))
    bench.latest.declare(bench.plan)
    bench.reads(a_probe(), Measurement("up", 1.0))
    unknown = '{target="simpeg",engine="postgresql",cluster="simpeg"}'
    assert bench.lines("sigap_target_up") == [f"sigap_target_up{unknown} 1.0"]
    bench.role = "replica"
    bench.reads(a_probe(), Measurement("up", 1.0))
    learned = unknown.replace("}", ',role="replica"}')
    assert bench.lines("sigap_target_up") == [f"sigap_target_up{learned} 1.0"]


def test_values_of_a_probe_that_could_not_look_vanish(bench: Bench) -> None:
    bench.reads(LAG, Measurement("replication_lag_seconds", 1.0, "replica1"))
    bench.reads(LAG, failure=a_failure(FailureKind.BLIND))
    assert bench.lines("sigap_postgresql_replication_lag_seconds") == []
    key = 'target="simpeg",probe="replication_lag"'
    assert bench.lines("sigap_probe_success") == [f"sigap_probe_success{{{key}}} 0.0"]
    assert bench.lines("sigap_probe_failures_total") == [
        f'sigap_probe_failures_total{{{key},kind="blind"}} 1.0'
    ]
    assert bench.lines("sigap_probe_readings_total") == [f"sigap_probe_readings_total{{{key}}} 2.0"]


def test_a_subject_that_is_gone_vanishes(bench: Bench) -> None:
    bench.reads(LAG, *(Measurement("replication_lag_seconds", 1.0, name) for name in "ab"))
    bench.reads(LAG, Measurement("replication_lag_seconds", 1.0, "a"))
    assert len(bench.lines("sigap_postgresql_replication_lag_seconds")) == 1


def test_values_nobody_refreshes_vanish_but_the_time_of_the_last_reading_stays(
    bench: Bench,
) -> None:
    bench.reads(LAG, Measurement("replication_lag_seconds", 1.0, "a"))
    bench.clock.move(3 * 15.0 + bench.plan.longest_round + 1)
    assert bench.lines("sigap_postgresql_replication_lag_seconds") == []
    assert bench.lines("sigap_probe_last_reading_timestamp_seconds") == [
        'sigap_probe_last_reading_timestamp_seconds{target="simpeg",probe="replication_lag"} '
        f"{NOON.timestamp()!r}"
    ]


def test_a_target_that_left_vanishes_whole(bench: Bench) -> None:
    bench.reads(a_probe(), Measurement("up", 1.0))
    bench.latest.export(observed(bench.plan, a_probe(), a_reading()), [a_finding()])
    bench.latest.forget("simpeg")
    assert bench.text == ""
    bench.reads(a_probe(), Measurement("up", 1.0))  # a round that was still under way
    assert bench.text == ""


def test_limits_are_exported_as_they_are_tuned() -> None:
    limits = {"replication_lag_seconds": Limits(critical=60.0)}
    bench = Bench(probes={"replication_lag": Tuning(thresholds=limits)})
    key = 'target="simpeg",probe="replication_lag",measure="replication_lag_seconds"'
    assert [line for line in bench.lines("sigap_threshold") if "lag" in line] == [
        f'sigap_threshold{{{key},level="warning"}} 30.0',
        f'sigap_threshold{{{key},level="critical"}} 60.0',
    ]


def test_labels_cannot_break_the_text() -> None:
    bench = Bench()
    bench.reads(VOLUMES, Measurement("volume_free_bytes", 1.0, 'a"b\\c\nd'))
    assert bench.lines("sigap_volume_free_bytes") == [
        'sigap_volume_free_bytes{target="simpeg",volume="a\\"b\\\\c\\nd"} 1.0'
    ]


def test_the_page_follows_a_verdict_that_stays_worsens_and_goes(bench: Bench) -> None:
    def judged(*severities: Severity) -> list[str]:
        reading = a_reading(probe="availability")
        found = [
            a_finding(subject=f"s{number}", severity=severity)
            for number, severity in enumerate(severities)
        ]
        bench.latest.export(observed(bench.plan, a_probe(), reading), found)
        return sorted(line.partition("subject=")[2] for line in bench.lines(SEVERITY.name))

    both_clear, one_critical = ['"s0"} 0.0', '"s1"} 0.0'], ['"s0"} 0.0', '"s1"} 2.0']
    assert judged(Severity.CLEAR, Severity.CLEAR) == both_clear
    assert judged(Severity.CLEAR, Severity.CLEAR) == both_clear
    assert judged(Severity.CLEAR, Severity.CRITICAL) == one_critical
    assert judged(Severity.CLEAR, Severity.CRITICAL) == one_critical
    assert judged(Severity.CLEAR) == one_critical  # what is not stated was not cleared
    assert judged(Severity.CLEAR, Severity.CLEAR) == both_clear
    assert judged(Severity.CLEAR) == ['"s0"} 0.0']


def test_what_the_agent_costs_a_server_is_told(bench: Bench) -> None:
    bench.reads(a_probe(), Measurement("up", 1.0))
    assert bench.lines("sigap_agent_sessions") == ['sigap_agent_sessions{target="simpeg"} 1.0']
    assert bench.lines("sigap_agent_db_seconds_total") == [
        'sigap_agent_db_seconds_total{target="simpeg"} 0.5'
    ]


def promtool(text: bytes) -> None:
    """Fail with what ``promtool check metrics`` complains of."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is missing: apt-get install --no-install-recommends prometheus")
    done = subprocess.run(
        [program, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_promtool_has_no_complaint(bench: Bench) -> None:
    bench.reads(a_probe(), Measurement("up", 1.0))
    bench.reads(
        LAG, Measurement("replication_lag_seconds", 1.0, "a"), Measurement("blocked_total", 3.0)
    )
    bench.reads(VOLUMES, Measurement("volume_free_bytes", 5e18, "/srv"))
    bench.reads(VOLUMES, failure=a_failure(FailureKind.BLIND))
    bench.latest.export(observed(bench.plan, a_probe(), a_reading()), [a_finding()])
    metrics = Metrics(bench.board, bench.clock.monotonic)
    metrics.reloaded(NOON)
    engine = FakeServer().engine
    scheduler = Scheduler(
        Pipeline(bench.latest, NoDesk()),
        lambda plan: Owner(plan.target, engine),
        bench.clock.clocks,
        lambda _: None,
    )
    metrics.add(lambda: of_scheduler(scheduler))
    metrics.add_text(lambda: skipped_rounds(scheduler))
    page = b"".join(metrics.page())
    promtool(page)
    for name in ("sigap_build_info", "sigap_config_last_reload_successful", "process_open_fds"):
        assert f"\n{name}".encode() in page
    assert b"_created" not in page


def test_every_target_says_how_many_runs_it_missed(bench: Bench) -> None:
    engine = FakeServer().engine
    scheduler = Scheduler(
        Pipeline(bench.latest, NoDesk()),
        lambda plan: Owner(plan.target, engine),
        bench.clock.clocks,
        lambda _: None,
    )
    scheduler.apply([bench.plan])
    scheduler.loops[0].timetable.skipped = 3
    metrics = Metrics(bench.board, bench.clock.monotonic)
    metrics.add_text(lambda: skipped_rounds(scheduler))
    name = bench.plan.target.name
    said = b"".join(metrics.page())
    scheduler.stop(5.0)
    assert b"# TYPE sigap_agent_rounds_skipped_total counter\n" in said
    assert f'\nsigap_agent_rounds_skipped_total{{target="{name}"}} 3.0\n'.encode() in said
    promtool(said)


def test_promtool_does_complain_of_a_bad_name() -> None:
    board = Board()
    board.put(Family("sigap_badMs", "Bad."), ("a",), "sigap_badMs 1\n")
    with pytest.raises(AssertionError, match="badMs"):
        promtool(board.text(0.0).encode())


def test_a_probe_is_stale_before_its_first_reading_and_after_three_intervals_without_one() -> None:
    bench = Bench()

    def stale() -> str:
        start = 'sigap_probe_stale{target="simpeg",probe="replication_lag"} '
        lines = bench.board.text(bench.clock.monotonic()).splitlines()
        return next(line for line in lines if line.startswith(start)).removeprefix(start)

    assert stale() == "1.0"
    bench.reads(LAG, Measurement("blocked_total", 1.0))
    assert stale() == "0.0"
    bench.clock.move(3 * 15.0)
    assert stale() == "0.0"
    bench.clock.move(3.0)
    assert stale() == "1.0"
    bench.reads(LAG, Measurement("blocked_total", 1.0))
    assert stale() == "0.0"


def test_what_the_agent_costs_a_server_is_exported() -> None:
    bench = Bench()
    cost = Cost(sessions=2, rows=7, lock_waits=3, longest_seconds=0.25)
    bench.latest.publish(
        observed(bench.plan, LAG, a_reading(probe="replication_lag")), ServerFacts(cost)
    )
    text = bench.board.text(0)
    for line in (
        'sigap_agent_sessions{target="simpeg"} 2.0',
        'sigap_agent_rows_total{target="simpeg"} 7.0',
        'sigap_agent_lock_waits_total{target="simpeg"} 3.0',
        'sigap_agent_longest_statement_seconds{target="simpeg"} 0.25',
    ):
        assert line in text
