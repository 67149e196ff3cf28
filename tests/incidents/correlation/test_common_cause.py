"""One fault reported by several servers: a shared account, a network, a host."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from probes import Finding
from tests.incidents.builders import finding
from tests.incidents.reported import NOW, Desk


def _rejected(target: str, role: str, seconds: float = 0, reason: str = "denied") -> Finding:
    when = NOW + timedelta(seconds=seconds)
    return replace(finding(target, "fresh_login_ok", when=when, role=role), cause=reason)


@pytest.mark.parametrize(
    "order",
    [
        ("primary", "replica-1", "replica-2"),
        ("replica-1", "primary", "replica-2"),
        ("replica-1", "replica-2", "primary"),
    ],
)
def test_an_account_lost_on_the_primary_and_its_replicas_is_one_incident_rooted_at_the_primary(
    order: tuple[str, ...],
) -> None:
    desk = Desk()
    for seconds, name in enumerate(order):
        desk.report(_rejected(name, name.partition("-")[0], seconds))
    assert [each.target for each in desk.only.troubles if each.root] == ["primary"]
    assert len(desk.only.troubles) == 3


def test_logins_that_fail_for_different_reasons_are_two_faults() -> None:
    desk = Desk()
    desk.report(_rejected("primary", "primary"))
    desk.report(_rejected("replica-1", "replica", reason="exhausted"))
    assert len(desk.incidents) == 2


def _cut_off(seconds: float = 0) -> Finding:
    when = NOW + timedelta(seconds=seconds)
    return finding("pantau", "agent_unreached_targets", family="reach", when=when, agent="pantau")


def _silent(target: str, seconds: float = 0, reason: str = "timeout") -> Finding:
    when = NOW + timedelta(seconds=seconds)
    found = finding(target, "up", when=when, cluster=target, agent="pantau")
    return replace(found, cause=reason)


@pytest.mark.parametrize("reason", ["timeout", "unreachable"])
def test_a_network_told_just_after_a_silent_server_is_the_root_of_it(reason: str) -> None:
    desk = Desk()
    desk.report(_silent("a", 0, reason))
    desk.report(_cut_off(60))
    desk.report(_silent("b", 70, reason))
    assert [each.target for each in desk.only.troubles if each.root] == ["pantau"]
    assert len(desk.only.troubles) == 3


def test_a_network_does_not_take_over_an_outage_that_is_older() -> None:
    desk = Desk()
    desk.report(_silent("a"))
    desk.report(_cut_off(6 * 60))
    desk.report(_silent("b", 6 * 60))
    assert [len(each.troubles) for each in desk.incidents.values()] == [1, 2]


@pytest.mark.parametrize("reason", ["refused", "denied", "exhausted"])
def test_a_network_explains_no_server_that_was_reached(reason: str) -> None:
    desk = Desk()
    desk.report(_cut_off())
    desk.report(_silent("a", 5, reason))
    assert len(desk.incidents) == 2
