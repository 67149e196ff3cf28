"""Correlation of a pooler and the servers of its cluster."""

from __future__ import annotations

from datetime import datetime

import pytest

from probes import Finding
from tests.incidents.builders import finding
from tests.incidents.reported import NOW, Desk, blocked, down, full, lag


def waiting(
    target: str = "simpeg-front",
    measure: str = "pool_wait_seconds",
    cluster: str = "simpeg",
    when: datetime = NOW,
) -> Finding:
    return finding(
        target, measure, "simpeg/petugas", "pooler", when=when, role="pooler", cluster=cluster
    )


@pytest.mark.parametrize("cause", [down(), blocked(), full()])
@pytest.mark.parametrize("cause_first", [True, False])
def test_clients_that_wait_before_a_sick_server_are_a_symptom_whoever_is_told_first(
    cause: Finding, cause_first: bool
) -> None:
    desk = Desk()
    for found in (cause, waiting()) if cause_first else (waiting(), cause):
        desk.report(found)
    assert desk.only.target == cause.target
    assert [t.target for t in desk.only.troubles if t.root] == [cause.target]


def test_a_replica_or_another_cluster_explains_no_waiting_clients() -> None:
    desk = Desk()
    desk.report(down("simpeg-replica", "replica"))
    desk.report(waiting())
    desk.report(waiting("sipkd-front", cluster="sipkd"))
    assert len(desk.incidents) == 3


def test_a_dead_pooler_explains_neither_its_server_nor_the_replication_behind_it() -> None:
    desk = Desk()
    desk.report(down("simpeg-front", "pooler"))
    desk.report(lag())
    desk.report(down("simpeg-primary"))
    # the lag began by itself and has found its cause since
    assert sorted(each.target for each in desk.incidents.values()) == [
        "simpeg-front",
        "simpeg-primary",
    ]


@pytest.mark.parametrize("measure", ["database_paused", "pool_served", "pooler_held"])
def test_who_holds_the_clients_up_is_the_root_of_their_waiting(measure: str) -> None:
    desk = Desk()
    desk.report(waiting())
    desk.report(waiting(measure=measure))
    (root,) = [trouble for trouble in desk.only.troubles if trouble.root]
    assert root.fingerprint.split("/")[2] == measure
