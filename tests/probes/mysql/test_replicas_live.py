"""Replicas that read the binary log have a name, under which they are reported when missing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.state.member_file import Notebook
from probes import Expectations, Finding, Severity, Target
from probes.fleet.membership import Membership
from probes.fleet.observation import observed
from probes.fleet.plan import Plan
from probes.judge import Judge
from probes.mysql.replication.replicas import PROBE, named
from tests.probes.mysql.asking import NOW, measured, reading, shown
from tests.servers.mariadb import MariaDBPair, eventually


def _row(host: str, uuid: str = "") -> dict[str, object]:
    return {"host": host, "uuid": uuid}


def test_two_replicas_of_one_address_have_a_name_each_and_the_first_keeps_its_own() -> None:
    both = [_row("10.1.2.3:5001"), _row("10.1.2.3:5002"), _row("::1:5003")]
    assert named(both, {}) == ["10.1.2.3", "10.1.2.3#2", "::1"]
    assert named(both[1:2], {}) == ["10.1.2.3"]


def test_a_replica_that_says_its_uuid_keeps_its_name_wherever_it_moves() -> None:
    known = {"u1": "10.1.2.3", "u2": "10.1.2.3#2"}
    assert named([_row("10.9.9.9:1", "u2"), _row("10.1.2.3:2", "u1")], known) == [
        "10.1.2.3#2", "10.1.2.3",
    ]  # fmt: skip
    rebuilt = _row("10.1.2.3:3", "u3")
    assert named([_row("10.1.2.3:1", "u2"), rebuilt], known) == ["10.1.2.3#2", "10.1.2.3"]


@pytest.mark.servers
def test_a_replica_that_left_its_primary_is_missed_by_name(pair: MariaDBPair) -> None:
    expects = Expectations(standbys=("127.0.0.1", "10.0.0.9"))
    target = pair.primary.target(role="primary", expects=expects)
    assert measured("replicas", target)["replica_connected"].subject == "127.0.0.1"
    assert "repl" in str(shown("replicas", target)[0].rows)
    judge = Judge()
    membership = Membership(target.name, Notebook(None), timedelta(0))
    assert _missing(target, membership, judge) == {"10.0.0.9"}
    pair.replica.sql("STOP SLAVE")
    try:
        # the primary notices at the next thing it has to send
        eventually(lambda: _gone(pair, target), "the primary lets go of the reader")
        assert _missing(target, membership, judge) == {"10.0.0.9", "127.0.0.1"}
    finally:
        pair.replica.sql("START SLAVE")
        eventually(pair.running, "both replication threads run")
    assert _missing(target, membership, judge) == {"10.0.0.9"}


def _gone(pair: MariaDBPair, target: Target) -> bool:
    pair.primary.sql("CREATE TABLE IF NOT EXISTS app.kabar (id INT)", "DROP TABLE app.kabar")
    return not reading("replicas", target).measurements


def _missing(target: Target, membership: Membership, judge: Judge) -> set[str]:
    """The replicas reported missing once the present state has been seen twice."""
    found: list[Finding] = []
    for _ in range(2):
        taken = reading("replicas", target)
        own = observed(Plan(target, (PROBE,), 15.0, 5.0), PROBE, taken)
        for each in membership.derive(own, calm=True):
            assert each.reading.at == NOW
            found = judge.assess(target, each.probe, each.reading).findings
    return {each.subject for each in found if each.severity is Severity.CRITICAL}
