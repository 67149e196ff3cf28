"""A few servers that fail together: their own fault, or the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import FailureKind
from tests.agent.network import Network, all_silent

THREE = {"a": "h1", "b": "h2", "c": "h3"}


@pytest.mark.parametrize("kind", [FailureKind.TIMEOUT, FailureKind.UNREACHABLE])
@pytest.mark.parametrize("third", [None, FailureKind.REFUSED, FailureKind.DENIED])
def test_two_of_three_servers_that_go_down_together_are_told_each_by_itself(
    tmp_path: Path, kind: FailureKind, third: FailureKind | None
) -> None:
    """The third was reached, so the agent's network works."""
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
    all_silent(network)
    network.round()  # the question on an open session: nothing is known of the network yet
    network.reached = frozen
    network.round(4)
    assert sorted(network.titles) == ["a is down", "b is down"]


def test_a_frozen_server_whose_queue_is_full_is_not_cut_off_either(tmp_path: Path) -> None:
    network = Network(tmp_path, a="h1", b="h2")
    network.round(2)
    all_silent(network)
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
    all_silent(network)
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
    all_silent(network)
    network.round(4)
    assert sorted(network.titles) == ["a is down", "b is down"]


def test_of_three_servers_that_were_cut_off_the_two_that_stay_away_are_told_each_by_itself(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, **THREE)
    network.round(2)
    all_silent(network)
    network.round(4)
    del network.silent["c"]
    network.round(18)
    assert network.red() == ["a is down", "b is down"]


def test_a_network_that_flickers_for_one_of_three_servers_stays_one_incident(
    tmp_path: Path,
) -> None:
    network = Network(tmp_path, **THREE)
    network.round(2)
    all_silent(network)
    network.round(30)
    del network.silent["c"]
    network.round()
    all_silent(network)
    network.round(10)
    assert len(network.titles) == 1
