"""What silent servers have in common is one incident; what stays silent afterwards is its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.exposition import Board
from agent.latest import Latest
from agent.pipeline import Pipeline
from agent.reach import Reach
from agent.scheduler import Plan
from incidents import calendar, procedure
from incidents.desk import Desk
from incidents.model import Incident
from incidents.store import open_store
from probes import FailureKind, Finding, Severity, Target
from probes.judge import Recalled
from probes.runner import Owner
from tests.agent.test_pipeline import PATIENT
from tests.support.builders import NOON, a_failure, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

INTERVAL = 15.0


class Network:
    """Servers on their hosts, an agent that asks them in turn, and the desk it tells."""

    def __init__(self, folder: Path, **hosts: str) -> None:
        self.targets = [
            a_target(name, machine=host, host="" if host else "pantau", agent="pantau")
            for name, host in hosts.items()
        ]
        self.silent: dict[str, FailureKind] = {}
        self.reached: set[str] = set()  # of these: whose host takes connections all the same
        self.rounds = 0
        self.reach = Reach("pantau")
        self.reach.take_seats(self.targets)
        self.held: list[tuple[str, float]] = []
        self._second = 0.0
        self._not_before: dict[str, float] = {}
        self._waiting: dict[str, Finding] = {}
        self._store = open_store(f"sqlite:///{folder / 'reach.db'}")
        self.desk = Desk(self._store, procedure.load("kaltim"), calendar.load("kaltim"))
        clock = HandClock()
        self._pipeline = Pipeline(
            Latest(Board(), clock.monotonic),
            self,
            shared=self.reach,
            hold=self._hold,
        )
        self._engine = FakeServer().engine

    def _hold(self, fingerprint: str, seconds: float) -> None:
        self.held.append((fingerprint, seconds))
        self._not_before[fingerprint] = self._second + seconds

    def put(self, finding: Finding) -> None:
        """What is held waits, and of each finding the newest; as in the reporter."""
        self._waiting[finding.fingerprint] = finding
        self._tell()

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
        plan = Plan(target, (PATIENT,), INTERVAL, 2.0)
        self._pipeline.handle(plan, PATIENT, reading, Owner(target, self._engine, 2.0))

    @property
    def open(self) -> tuple[Incident, ...]:
        return self.desk.open_incidents()

    @property
    def titles(self) -> list[str]:
        return [incident.title.en for incident in self.open]

    def red(self) -> list[str]:
        return sorted(i.title.en for i in self.open if i.red)


FOUR = {"a": "h1", "b": "h2", "c": "h3", "d": "h4"}


def _all_silent(network: Network, kind: FailureKind = FailureKind.TIMEOUT) -> None:
    network.silent = {t.name: kind for t in network.targets if t.machine}


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.UNREACHABLE])
def test_an_agent_that_reaches_nobody_is_one_incident_with_the_servers_as_symptoms(
    tmp_path: Path, kind: FailureKind
) -> None:
    network = Network(tmp_path, here="", **FOUR)
    network.round(2)
    _all_silent(network, kind)
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
    _all_silent(network)
    network.round(2)
    assert len(network.titles) == 1


def test_it_heals_with_the_network(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    _all_silent(network)
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
    _all_silent(network)
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


def test_servers_that_refuse_were_reached(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    _all_silent(network, FailureKind.REFUSED)
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


def test_a_blip_is_nothing(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    _all_silent(network)
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
    network.held.clear()
    network.ask(a, 61.0)  # b's reading began before and has not ended
    assert ("a/availability/up/", 2.0) in network.held
    network.ask(b, 62.0)  # it was reached: a is alone
    network.held.clear()
    network.ask(a, 76.0)
    assert ("a/availability/up/", 0.0) in network.held


def test_after_a_restart_of_the_agent_it_clears(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    stood = Recalled("reach", "agent_unreached_targets", "", Severity.CRITICAL, NOON)
    network.reach.recall("pantau", [stood])
    found = [
        finding
        for turn in range(3)
        for target in network.targets
        for finding in network.reach.observe(
            target,
            a_reading(target.name, at=NOON + timedelta(seconds=turn * INTERVAL)),
            INTERVAL,
            announced=False,
        )
    ]
    assert found[-1].severity is Severity.CLEAR


def test_an_outage_older_than_the_networks_keeps_its_incident(tmp_path: Path) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    network.silent = {"c": FailureKind.TIMEOUT}
    network.round(28)
    _all_silent(network)
    network.round(4)
    assert sorted(network.red()) == ["Agent pantau cannot reach most of its servers", "c is down"]


def test_of_very_many_silent_servers_the_first_are_named_and_the_others_counted() -> None:
    targets = [a_target(f"s{n:03}", machine=f"h{n}", agent="pantau") for n in range(200)]
    reach = Reach("pantau")
    reach.take_seats(targets)
    found: list[Finding] = []
    for turn in range(3):
        at = NOON + timedelta(seconds=turn * INTERVAL)
        for target in targets:
            failed = a_reading(
                target.name, at=at, measurements=(), failure=a_failure(FailureKind.TIMEOUT)
            )
            found += reach.observe(target, failed, INTERVAL, announced=False)
    told = found[-1].title.en
    assert told.startswith("Agent pantau cannot reach 200 of 200 servers: s000, s001, ")
    assert told.endswith("(+192)")
    assert found[-1].evidence is not None
    (table,) = found[-1].evidence.exhibits
    assert (len(table.rows), table.note) == (50, "50 of 200")
    assert len(found) < 2 * len(targets), "what stands is said again once an interval only"


@pytest.mark.parametrize("during", [True, False])
def test_a_server_that_turns_out_to_refuse_has_an_incident_of_its_own(
    tmp_path: Path, during: bool
) -> None:
    network = Network(tmp_path, **FOUR)
    network.round(2)
    _all_silent(network)
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
    _all_silent(network)
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
    _all_silent(network)
    network.round(4)
    network.silent = {"c": FailureKind.TIMEOUT}
    network.round(18)
    old = network.open[0].number
    told = [line.text.en for line in network.desk.timeline(old) if "c is down" in line.text.en]
    assert told[-1].startswith("Goes on in another incident: c is down")
    assert not any("is clear" in each for each in told)


THREE = {"a": "h1", "b": "h2", "c": "h3"}


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.UNREACHABLE])
@pytest.mark.parametrize("third", [None, FailureKind.REFUSED, FailureKind.DENIED])
def test_two_of_three_servers_that_go_down_together_are_told_each_by_itself(
    tmp_path: Path, kind: FailureKind, third: FailureKind | None
) -> None:
    """The third was reached, whatever it said: the agent's network works."""
    network = Network(tmp_path, **THREE)
    network.round(2)
    network.silent = {"a": kind, "b": kind} | ({"c": third} if third else {})
    network.round(4)
    assert sorted(network.titles)[:2] == ["a is down", "b is down"]
    assert not any("Agent" in title for title in network.titles)


@pytest.mark.parametrize("frozen", [{"a", "b"}, {"b"}])
def test_two_servers_of_which_one_takes_connections_are_not_cut_off(
    tmp_path: Path, frozen: set[str]
) -> None:
    network = Network(tmp_path, a="h1", b="h2")
    network.round(2)
    _all_silent(network)
    network.round()  # the question on an open session: nothing is known of the network yet
    network.reached = frozen
    network.round(4)
    assert sorted(network.titles) == ["a is down", "b is down"]


def test_a_frozen_server_whose_queue_is_full_is_not_cut_off_either(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h2")
    network.round(2)
    _all_silent(network)
    network.reached = {"a", "b"}
    network.round(3)
    network.reached = set()
    network.round(30)
    assert sorted(network.titles) == ["a is down", "b is down"]


@pytest.mark.parametrize("fleet", [{"a": "h1", "b": "h2"}, THREE])
def test_of_a_few_servers_that_give_no_sign_both_possibilities_are_told(
    tmp_path: Path, fleet: dict[str, str]
) -> None:
    network = Network(tmp_path, **fleet)
    network.round(2)
    _all_silent(network)
    network.round(4)
    (incident,) = network.open
    assert incident.title.en == (
        "Agent pantau cannot reach any of its servers; they are down, or the agent's network is"
    )
    (root,) = [each for each in incident.troubles if each.root]
    assert root.hint.en.startswith("Either these went down together (power, hypervisor, storage)")
    assert root.title.en.endswith("they are down, or the agent's network is")


def test_of_many_servers_most_are_enough(tmp_path: Path) -> None:
    """As many as these do not die in one round; the ones that answer take another way."""
    network = Network(tmp_path, **{name: f"host-{name}" for name in "abcdefg"})
    network.round(2)
    network.silent = dict.fromkeys("abcd", FailureKind.TIMEOUT)
    network.round(4)
    assert network.titles == ["Agent pantau cannot reach most of its servers"]
    (root,) = [each for each in network.open[0].troubles if each.root]
    assert root.title.en == "Agent pantau cannot reach 4 of 7 servers: a, b, c, d"


def test_a_server_that_falls_days_after_the_only_other_one_is_alone(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h2")
    network.round(2)
    network.silent = {"a": FailureKind.TIMEOUT}
    network.round(28)
    _all_silent(network)
    network.round(4)
    assert sorted(network.titles) == ["a is down", "b is down"]


def test_of_three_servers_that_were_cut_off_the_two_that_stay_away_are_told_each_by_itself(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, **THREE)
    network.round(2)
    _all_silent(network)
    network.round(4)
    del network.silent["c"]
    network.round(18)
    assert network.red() == ["a is down", "b is down"]


def test_a_network_that_flickers_for_one_of_three_servers_stays_one_incident(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, **THREE)
    network.round(2)
    _all_silent(network)
    network.round(30)
    del network.silent["c"]
    network.round()
    _all_silent(network)
    network.round(10)
    assert len(network.titles) == 1
