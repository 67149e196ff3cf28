"""A common cause of silent servers is one incident; a server that stays silent gets its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.maintenance import Maintenance
from agent.runtime.pipeline import Pipeline
from probes import FailureKind, Severity
from probes.fleet.fleet import Fleet
from probes.fleet.observation import observed
from probes.fleet.plan import Plan
from probes.fleet.reachability import Reachability
from probes.judge import Recalled
from probes.runner import Owner
from tests.agent.network import FOUR, INTERVAL, Network, Told, all_silent
from tests.agent.runtime.test_pipeline import PATIENT
from tests.support.builders import NOON, a_failure, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.evidence import english
from tests.support.fakes import FakeServer


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.UNREACHABLE])
def test_an_agent_that_reaches_nobody_is_one_incident_with_the_servers_as_symptoms(
    tmp_path: Path, kind: FailureKind
) -> None:
    network = Network(tmp_path, here="", **FOUR)
    network.round(2)
    all_silent(network, kind)
    network.round(6)
    (incident,) = network.open
    assert incident.title.en == "Agent pantau cannot reach most of its servers"
    (root,) = [each for each in incident.troubles if each.root]
    assert root.title.en == "Agent pantau cannot reach 4 of 4 servers: a, b, c, d"
    assert {each.target for each in incident.troubles if not each.root} == {"a", "b", "c", "d"}
    assert root.evidence is not None


def test_it_is_told_as_early_as_a_single_outage_would_be(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(2)
    assert len(network.titles) == 1


def test_it_heals_with_the_network(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(4)
    network.silent = {}
    network.round(4)
    assert len(network.titles) == 1
    assert network.red() == []


def test_a_server_that_stays_silent_after_the_others_healed_is_its_own_incident(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(4)
    network.silent = {"c": FailureKind.TIMEOUT}
    network.round(8)
    assert len(network.titles) == 1, "healing of all may take some minutes"
    network.round(10)
    assert network.red() == ["c is down"]
    assert len(network.titles) == 2
    network.silent = {}
    network.round(4)
    assert network.red() == []
    assert len(network.titles) == 2


def test_two_of_many_servers_are_two_outages(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    network.silent = {"a": FailureKind.TIMEOUT, "b": FailureKind.TIMEOUT}
    network.round(4)
    assert sorted(network.titles) == ["a is down", "b is down"]


def test_a_reading_that_began_before_its_target_moved_to_another_host_is_taken() -> None:
    before, after = (
        Plan(a_target("a", machine=host), (PATIENT,), INTERVAL, 2.0) for host in ("old", "new")
    )
    reachability = Reachability("pantau")
    reachability.take_seats([after.target])
    reading = a_reading("a", at=NOON, failure=a_failure(FailureKind.TIMEOUT))
    reachability.derive(observed(before, PATIENT, reading), announced=False)
    assert reachability.machines() == {"pantau", "new"}


def test_servers_that_refuse_were_reached(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network, FailureKind.REFUSED)
    network.round(4)
    assert len(network.titles) == 4


def test_a_host_with_several_servers_that_goes_down_is_one_incident_that_names_it(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, a="h1", b="h1", c="h2", d="h3", e="h4")
    network.round(2)
    network.silent = {"a": FailureKind.TIMEOUT, "b": FailureKind.UNREACHABLE}
    network.round(5)
    (incident,) = network.open
    assert incident.title.en == "Host h1 does not answer with any of its servers"
    assert {each.target for each in incident.troubles if not each.root} == {"a", "b"}
    network.silent = {"b": FailureKind.TIMEOUT}
    network.round(20)
    assert network.red() == ["b is down"]


def test_of_a_host_that_takes_connections_it_is_not_said_that_it_does_not_answer(
    tmp_path: Path,
) -> None:
    """Its storage hangs: the kernel lives, no server on it does."""
    network = Network(tmp_path, a="h1", b="h1", c="h2", d="h3", e="h4")
    network.round(2)
    network.silent = {"a": FailureKind.TIMEOUT, "b": FailureKind.TIMEOUT}
    network.round()
    network.reached = {"a", "b"}
    network.round(4)
    (incident,) = network.open
    assert incident.title.en == "Host h1 takes connections, but none of its servers answers"
    (root,) = [each for each in incident.troubles if each.root]
    assert root.title.en == "Host h1 takes connections, but none of its 2 servers answers: a, b"
    assert root.hint.en.startswith("Look at that host's storage first")


def test_a_blip_is_nothing(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(1)
    network.silent = {}
    network.round(4)
    assert network.open == ()


def test_a_first_silent_server_waits_for_readings_that_are_under_way(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h2")
    network.round(2)
    network.silent = {"a": FailureKind.UNREACHABLE}
    a, b = network.targets
    network.ask(a, 46.0)
    network.waits.clear()
    network.ask(a, 61.0)  # b's reading began before and has not ended
    assert ("a/availability/up/", 2.0) in network.waits
    network.ask(b, 62.0)  # it was reached: a is alone
    network.waits.clear()
    network.ask(a, 76.0)
    assert ("a/availability/up/", 0.0) in network.waits


def test_after_a_restart_of_the_agent_it_clears(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    stood = Recalled("reach", "agent_unreached_targets", "", Severity.CRITICAL, NOON)
    network.pipeline.restore({"pantau": (stood,)})
    network.round()
    (first,) = network.said("agent_unreached_targets")[:1]
    assert first.severity is Severity.CRITICAL
    network.round(2)
    assert network.said("agent_unreached_targets")[-1].severity is Severity.CLEAR


def test_an_outage_older_than_the_networks_keeps_its_incident(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    network.silent = {"c": FailureKind.TIMEOUT}
    network.round(28)
    all_silent(network)
    network.round(4)
    assert sorted(network.red()) == ["Agent pantau cannot reach most of its servers", "c is down"]


def test_of_very_many_silent_servers_the_first_are_named_and_the_others_counted() -> None:
    targets = [a_target(f"s{n:03}", machine=f"h{n}", agent="pantau") for n in range(200)]
    plans = [Plan(target, (PATIENT,), INTERVAL, 2.0) for target in targets]
    told = Told()
    pipeline = Pipeline(Latest(Board(), HandClock().monotonic), told, Fleet("pantau"))
    pipeline.watch(plans, Maintenance())
    for turn in range(3):
        at = NOON + timedelta(seconds=turn * INTERVAL)
        for plan in plans:
            failed = a_reading(plan.target.name, at=at, failure=a_failure(FailureKind.TIMEOUT))
            pipeline.handle(plan, PATIENT, failed, Owner(plan.target, FakeServer().engine, 2.0))
    found = [each for each in told.findings if each.measure == "agent_unreached_targets"]
    assert found[-1].title.en.startswith(
        "Agent pantau cannot reach 200 of 200 servers: s000, s001, "
    )
    assert found[-1].title.en.endswith("(+192)")
    assert found[-1].evidence is not None
    (table,) = found[-1].evidence.exhibits
    assert (len(table.rows), english(table.note)) == (50, "50 of 200")
    assert len(found) < 2 * len(targets), "what stands is said again once an interval only"


def test_a_network_that_is_cut_is_on_metrics_like_any_other_verdict(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(4)
    page = network.board.text(0)
    labels = 'target="pantau",probe="reach"'
    assert f'sigap_finding_severity{{{labels},measure="agent_unreached_targets"}} 2.0' in page
    assert f'sigap_threshold{{{labels},measure="agent_unreached_targets",level="critical"}}' in page
    assert f"sigap_probe_success{{{labels}}} 1.0" in page
    assert 'sigap_agent_unreached_targets{target="pantau"} 4.0' in page


def test_a_host_that_is_silent_is_on_metrics_like_any_other_verdict(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h1", c="h2", d="h3", e="h4")
    network.round(2)
    network.silent = {"a": FailureKind.TIMEOUT, "b": FailureKind.UNREACHABLE}
    network.round(5)
    line = 'sigap_finding_severity{target="h1",probe="reach",measure="host_unreached_targets"} 2.0'
    assert line in network.board.text(0)


def test_a_host_that_left_the_configuration_leaves_metrics_too(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h1", c="h2")
    network.round(2)
    assert 'target="h1",probe="reach"' in network.board.text(0)
    network.pipeline.watch([network.plans["c"]], Maintenance())
    assert 'target="h1",probe="reach"' not in network.board.text(0)
    assert 'target="pantau",probe="reach"' in network.board.text(0)


@pytest.mark.parametrize("during", [True, False])
def test_a_server_that_turns_out_to_refuse_has_an_incident_of_its_own(
    tmp_path: Path, during: bool
) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(4)
    network.silent = {**(network.silent if during else {}), "c": FailureKind.REFUSED}
    network.round(8)
    assert len(network.titles) == 1, "a server that starts again refuses for a while"
    network.round(10)
    assert "c is down" in network.red()
    assert len(network.titles) == 2
    network.silent = {}
    network.round(4)
    assert network.red() == []


@pytest.mark.parametrize("first", ["a", "b", "c", "d"])
def test_a_network_that_fails_in_the_middle_of_a_round_is_one_incident(
    tmp_path: Path, first: str
) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    hit = [name for name in FOUR if name >= first]
    network.silent = dict.fromkeys(hit, FailureKind.TIMEOUT)
    network.round()
    all_silent(network)
    network.round(4)
    assert network.titles == ["Agent pantau cannot reach most of its servers"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_host_that_fails_in_the_middle_of_a_round_is_one_incident(
    tmp_path: Path, first: str
) -> None:
    network = Network(tmp_path, a="h1", b="h1", c="h2", d="h3", e="h4")
    network.round(2)
    network.silent = {first: FailureKind.TIMEOUT}
    network.round()
    network.silent = {"a": FailureKind.TIMEOUT, "b": FailureKind.TIMEOUT}
    network.round(4)
    assert network.titles == ["Host h1 does not answer with any of its servers"]


def test_the_record_does_not_call_clear_what_goes_on_in_another_incident(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    all_silent(network)
    network.round(4)
    network.silent = {"c": FailureKind.TIMEOUT}
    network.round(18)
    old = network.open[0].number
    told = [
        line.text.en for line in network.desk.queries.timeline(old) if "c is down" in line.text.en
    ]
    assert told[-1].startswith("Goes on in another incident: c is down")
    assert not any("is clear" in each for each in told)
