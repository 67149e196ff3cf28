"""Correlation while a server's role is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidents.correlation.table import CausalRule, Scope, shipped
from probes import Finding
from tests.incidents.builders import finding
from tests.incidents.reported import MINUTE, NOW, Desk, down, full, lag, on

POOLER = finding("depan", "pool_wait_seconds", "simpeg/petugas", "pooler", role="pooler")
REJECTED = [
    replace(finding(name, "fresh_login_ok", role=role), cause="denied")
    for name, role in (("a", ""), ("b", "replica"))
]


@pytest.mark.parametrize("first", ["down", "slot"])
def test_a_replica_whose_role_nobody_knows_yet_is_not_taken_for_the_primary(first: str) -> None:
    """Its role was never read; the primary itself reports the slot it used."""
    stopped = replace(down("r1", role=""), cause="refused")
    unread = on("p", "replication", "slot_active", subject="r1", role="primary")
    desk = Desk()
    order = (stopped, unread) if first == "down" else (unread, stopped)
    placed = [desk.report(each) for each in order][-1]
    assert placed.rule == "replica_down"
    assert [each.target for each in desk.only.troubles if each.root] == ["r1"]


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (down("a", role=""), lag("b")),
        (replace(full("a"), about={"cluster": "simpeg"}), lag("b")),
        (down("a", role=""), POOLER),
        (replace(full("a"), about={"cluster": "simpeg"}), POOLER),
        (REJECTED[0], REJECTED[1]),
    ],
)
@pytest.mark.parametrize("cause_first", [True, False])
def test_a_server_of_unknown_role_is_one_fault_with_what_it_may_explain_in_words_that_are_known(
    cause: Finding, effect: Finding, cause_first: bool
) -> None:
    """It may be the primary or not; the text says that its role is not known yet."""
    desk = Desk()
    first, second = (cause, effect) if cause_first else (effect, cause)
    desk.report(first)
    placed = desk.report(replace(second, at=NOW + MINUTE))
    assert desk.only.target == "a"
    assert "whose role is not known yet" in placed.because.en
    assert "perannya belum diketahui" in placed.because.id


def test_a_known_primary_is_called_so() -> None:
    desk = Desk()
    desk.report(down())
    assert desk.report(lag()).because.en == "the cluster's primary cannot be used"


@pytest.mark.parametrize("effect", [lag("b"), POOLER], ids=["replica", "pooler"])
def test_a_server_of_unknown_role_explains_nothing_where_another_is_known_as_the_primary(
    effect: Finding,
) -> None:
    desk = Desk()
    unknown = down("a", role="")
    desk.report(replace(unknown, about={**unknown.about, "leader": "p"}))
    assert desk.report(effect).number == ""


def test_what_only_a_server_that_was_read_can_say_needs_its_role() -> None:
    """A server whose sequences were read was reached, and its role was read in the same round."""
    desk = Desk()
    desk.report(on("a", "capacity", "sequence_used_ratio"))
    assert desk.report(on("b", "capacity", "sequence_used_ratio", role="replica")).number == ""


UNSURE = [each for each in shipped().rules if each.unsure.en]


@pytest.mark.parametrize("rule", UNSURE, ids=lambda rule: rule.name)
def test_words_for_a_role_not_known_claim_none(rule: CausalRule) -> None:
    assert rule.scope in (Scope.REPLICAS, Scope.POOLERS)
    assert "primary" not in rule.unsure.en
    assert "utama" not in rule.unsure.id
