"""What is derived from readings takes the steps of every other reading."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from agent.metrics.readings import Latest
from agent.metrics.target_health import targets
from agent.metrics.text_format import Board
from agent.runtime.maintenance import Maintenance, Window
from agent.runtime.pipeline import Pipeline
from incidents.web.display.target_health import ProbeState
from probes import Finding, Measure, Measurement, Severity
from probes.fleet.plan import Plan
from probes.judge import Recalled
from probes.runner import Owner
from tests.support.builders import NOON, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

PROBE = a_probe(measures=(Measure("up", "", "Up"), Measure("is_replica", "", "1 on a replica")))
SURPLUS = "cluster_surplus_primaries"


class Watch:
    """A cluster of two servers whose roles the test sets."""

    def __init__(self, windows: Sequence[Window] = (), every: float | None = None) -> None:
        self.told: list[Finding] = []
        self.clock = HandClock()
        self.board = Board()
        self.latest = Latest(self.board, self.clock.monotonic)
        self.pipeline = Pipeline(self.latest, self)
        probe = a_probe(measures=PROBE.measures, every=every)
        self.plans = [
            Plan(a_target(name, cluster="simpeg", role=role), (probe,), 15.0, 2.0)
            for name, role in (("a", "primary"), ("b", "replica"))
        ]
        self.pipeline.watch(self.plans, Maintenance(windows))
        self.owners = {
            plan.target.name: Owner(plan.target, FakeServer().engine, 2.0) for plan in self.plans
        }
        self.seconds = 0.0

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.told.append(finding)

    def rounds(self, times: int, *primaries: str) -> None:
        """So many rounds in which these servers are primaries."""
        for _ in range(times):
            self.seconds += 15
            self.clock.move(15)
            at = NOON + timedelta(seconds=self.seconds)
            for plan in self.plans:
                name = plan.target.name
                seen = (Measurement("up", 1.0), Measurement("is_replica", name not in primaries))
                reading = a_reading(name, at=at, measurements=seen)
                self.pipeline.handle(plan, plan.probes[0], reading, self.owners[name])

    def said(self, measure: str) -> list[Finding]:
        return [each for each in self.told if each.measure == measure]

    @property
    def page(self) -> str:
        return self.board.text(self.clock.monotonic())


def test_two_primaries_are_a_critical_finding_and_a_line_on_metrics() -> None:
    watch = Watch()
    watch.rounds(2, "a")
    labels = f'target="simpeg",probe="cluster_roles",measure="{SURPLUS}"'
    assert f"sigap_finding_severity{{{labels}}} 0.0" in watch.page
    watch.rounds(3, "a", "b")
    last = watch.said(SURPLUS)[-1]
    assert (last.severity, last.opens) == (Severity.CRITICAL, True)
    assert f"sigap_finding_severity{{{labels}}} 2.0" in watch.page
    assert f'sigap_threshold{{{labels},level="critical"}} 1.0' in watch.page
    assert f'sigap_{SURPLUS}{{target="simpeg"}} 1.0' in watch.page
    assert 'sigap_probe_success{target="simpeg",probe="cluster_roles"} 1.0' in watch.page


def test_verdicts_on_a_cluster_reach_the_desk_in_the_order_they_were_made() -> None:
    watch = Watch()
    watch.rounds(2, "a")
    others: list[threading.Thread] = []

    class Slow(list[Finding]):
        """While the first verdict on the cluster is queued, the other server is read."""

        def append(self, finding: Finding) -> None:
            if finding.measure == SURPLUS and not others:
                others.append(threading.Thread(target=read, args=(watch.plans[1], 60.0)))
                others[0].start()
                others[0].join(0.2)
            super().append(finding)

    def read(plan: Plan, seconds: float) -> None:
        seen = (Measurement("up", 1.0), Measurement("is_replica", 0.0))
        at = NOON + timedelta(seconds=seconds)
        reading = a_reading(plan.target.name, at=at, measurements=seen)
        watch.pipeline.handle(plan, plan.probes[0], reading, watch.owners[plan.target.name])

    watch.told = Slow()
    read(watch.plans[0], 45.0)
    others[0].join()
    said = [each.at for each in watch.said(SURPLUS)]
    assert said == sorted(said)


def test_evidence_of_two_primaries_names_the_role_of_each_server() -> None:
    watch = Watch()
    watch.rounds(2, "a")
    watch.rounds(3, "a", "b")
    evidence = watch.said(SURPLUS)[-1].evidence
    assert evidence is not None
    (table,) = evidence.exhibits
    assert [row[:3] for row in table.rows] == [
        ("a", "primary", "primary"),
        ("b", "primary", "replica"),
    ]


def test_two_primaries_open_nothing_while_a_window_is_on_for_one_of_them() -> None:
    window = Window("patch", frozenset({"b"}), start=NOON, end=NOON + timedelta(minutes=10))
    watch = Watch([window])
    watch.rounds(2, "a")
    watch.rounds(10, "a", "b")
    assert watch.said(SURPLUS)[-1].severity is Severity.CRITICAL
    assert not any(each.opens for each in watch.said(SURPLUS))
    watch.rounds(40, "a", "b")
    assert watch.said(SURPLUS)[-1].opens


def test_two_primaries_that_stood_before_a_start_clear_by_readings() -> None:
    watch = Watch()
    stood = Recalled("cluster_roles", SURPLUS, "", Severity.CRITICAL, NOON)
    watch.pipeline.restore({"simpeg": (stood,)})
    watch.rounds(2, "a")
    (first,) = watch.said(SURPLUS)
    assert first.severity is Severity.CRITICAL
    watch.rounds(1, "a")
    assert watch.said(SURPLUS)[-1].severity is Severity.CLEAR


def test_a_cluster_that_left_the_configuration_leaves_metrics_too() -> None:
    watch = Watch()
    watch.rounds(2, "a")
    watch.pipeline.watch([Plan(a_target("c"), (PROBE,), 15.0, 2.0)], Maintenance())
    assert 'target="simpeg",probe="cluster_roles"' not in watch.page


def test_a_cluster_of_the_name_of_a_server_is_kept_apart_from_it() -> None:
    watch = Watch()
    named = Plan(a_target("simpeg", cluster="simpeg", role="primary"), (PROBE,), 15.0, 2.0)
    watch.pipeline.watch([*watch.plans, named], Maintenance())
    watch.rounds(2, "a")
    watch.pipeline.forget("simpeg")
    assert 'target="simpeg",probe="cluster_roles"' in watch.page


def test_what_several_servers_share_is_no_server_of_the_pages() -> None:
    watch = Watch()
    watch.rounds(2, "a", "b")
    shown = targets(watch.latest, NOON, lambda fingerprint: "")
    assert [each.name for each in shown] == ["a", "b"]


def test_what_sigap_costs_is_on_metrics_like_any_other_verdict() -> None:
    watch = Watch()
    watch.rounds(1, "a")
    labels = 'target="a",probe="own_cost",measure="own_sessions"'
    assert f"sigap_finding_severity{{{labels}}} 0.0" in watch.page
    assert f'sigap_threshold{{{labels},level="critical"}} 4.0' in watch.page
    assert 'sigap_probe_success{target="a",probe="own_cost"} 1.0' in watch.page


def test_what_is_derived_stays_good_as_long_as_the_reading_it_comes_from() -> None:
    watch = Watch(every=60.0)
    watch.rounds(2, "a")
    watch.clock.move(75)
    (shown, _) = targets(watch.latest, NOON + timedelta(seconds=105), lambda fingerprint: "")
    states = {each.name: each.state for each in shown.probes}
    assert states["availability"] is not ProbeState.STALE
    assert states["own_cost"] is ProbeState.OK
    assert 'sigap_own_sessions{target="a"}' in watch.page
    assert 'sigap_cluster_surplus_primaries{target="simpeg"}' in watch.page
    watch.clock.move(120)
    (shown, _) = targets(watch.latest, NOON + timedelta(seconds=225), lambda fingerprint: "")
    assert {each.state for each in shown.probes} == {ProbeState.STALE}
    assert 'sigap_own_sessions{target="a"}' not in watch.page


def test_what_many_threads_bring_of_one_cluster_ends_in_one_verdict() -> None:
    watch = Watch()
    names = [f"s{n}" for n in range(8)]
    plans = [
        Plan(
            a_target(name, cluster="simpeg", role="primary" if name == "s0" else "replica"),
            (PROBE,),
            15.0,
            2.0,
        )
        for name in names
    ]
    watch.pipeline.watch(plans, Maintenance())

    def reads(plan: Plan) -> None:
        owner = Owner(plan.target, FakeServer().engine, 2.0)
        for turn in range(30):
            at = NOON + timedelta(seconds=15 * turn)
            primary = plan.target.name == "s0" or (plan.target.name == "s1" and turn > 5)
            seen = (Measurement("up", 1.0), Measurement("is_replica", float(not primary)))
            reading = a_reading(plan.target.name, at=at, measurements=seen)
            watch.pipeline.handle(plan, PROBE, reading, owner)
            barrier.wait()

    barrier = threading.Barrier(len(plans))
    with ThreadPoolExecutor(len(plans)) as threads:
        for done in [threads.submit(reads, plan) for plan in plans]:
            done.result(30)
    assert watch.said(SURPLUS)[-1].opens
    labels = f'target="simpeg",probe="cluster_roles",measure="{SURPLUS}"'
    assert f"sigap_finding_severity{{{labels}}} 2.0" in watch.page
