"""Members are learned or declared, and reported when missing; a blind probe makes none
disappear.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.metrics.readings import Latest
from agent.metrics.text_format import Board
from agent.runtime.maintenance import Maintenance, Window
from agent.runtime.pipeline import Pipeline
from agent.state.member_file import Notebook
from probes import Expectations, FailureKind, Finding, Measure, Measurement, Probe, Severity, Target
from probes.fleet.fleet import Fleet
from probes.fleet.members import MemberChange, Verb
from probes.fleet.plan import Plan
from probes.runner import Owner
from tests.support.builders import NOON, a_failure, a_probe, a_reading, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer

SLOTS = a_probe(
    "slots",
    measures=(Measure("slot_active", "", "1 when read", "slot"),),
    thresholds=(),
    judged_on_failure="",
)
ROLES = a_probe(
    "availability",
    measures=(
        Measure("up", "", "1 when usable"),
        Measure("in_recovery", "", "1 on a replica"),
    ),
)
STREAM = a_probe(
    "replication_lag",
    measures=(Measure("receiver_up", "", "1 when it streams"),),
    thresholds=(),
    judged_on_failure="",
)
VOLUMES, DELETED = (
    a_probe(
        name,
        measures=(Measure(f"{name}_bytes", "bytes", "Room.", "volume"),),
        thresholds=(),
        judged_on_failure="",
    )
    for name in ("volumes", "deleted_files")
)
GROUP = a_probe(
    "group_replication",
    measures=(Measure("group_member", "", "1 for each", "member"),),
    thresholds=(),
    judged_on_failure="",
)
ALONE = (SLOTS,)


class World:
    """A pipeline with one target whose readings the test sets."""

    def __init__(self, *probes: Probe, notebook: Notebook | None = None, **target: Any) -> None:
        self.target: Target = a_target(**target)
        self.notebook = notebook or Notebook(None)
        self.findings: list[Finding] = []
        self.minute = 0.0
        clock = HandClock()
        self.board = Board()
        latest = Latest(self.board, clock.monotonic)
        self.plan = Plan(self.target, probes or ALONE, 15.0, 1.0, learn_after=600.0)
        self.pipeline = Pipeline(latest, self, Fleet("", self.notebook))
        self.pipeline.watch([self.plan], Maintenance())
        self.owner = Owner(self.target, FakeServer().engine)

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        self.findings.append(finding)

    def read(self, probe: Probe, *found: Measurement, **changes: Any) -> list[Finding]:
        """What is bad after one more reading, a minute later."""
        self.minute += 1
        self.findings.clear()
        at = NOON + timedelta(minutes=self.minute)
        reading = a_reading(probe=probe.name, at=at, measurements=found, **changes)
        self.pipeline.handle(self.plan, probe, reading, self.owner)
        return [each for each in self.findings if each.severity > Severity.CLEAR]

    def slots(self, *names: str, times: int = 1) -> list[Finding]:
        bad: list[Finding] = []
        for _ in range(times):
            bad = self.read(SLOTS, *(Measurement("slot_active", 1.0, name) for name in names))
        return bad

    def members(self, *names: str, times: int = 1) -> list[Finding]:
        bad: list[Finding] = []
        for _ in range(times):
            bad = self.read(GROUP, *(Measurement("group_member", 1.0, name) for name in names))
        return bad

    def role(self, replica: bool, times: int = 1) -> list[Finding]:
        bad: list[Finding] = []
        for _ in range(times):
            found = (Measurement("up", 1.0), Measurement("in_recovery", float(replica)))
            bad = self.read(ROLES, *found)
        return bad

    def follows(self, sender: str, times: int = 1) -> list[Finding]:
        bad: list[Finding] = []
        for _ in range(times):
            bad = self.read(STREAM, Measurement("receiver_up", 1.0, detail={"sender": sender}))
        return bad


def test_what_was_seen_long_enough_is_missed_when_it_vanishes() -> None:
    world = World()
    assert world.slots("s1", times=12) == []
    assert world.slots() == []
    (missing,) = world.slots()
    assert missing.severity is Severity.WARNING
    assert not missing.opens
    assert (missing.family, missing.subject) == ("replication", "s1")
    assert missing.title.en.startswith("Replication slot s1 of simpeg has been gone")
    assert missing.title.id.startswith("Slot replikasi s1 hilang dari simpeg")
    assert "sigap learn simpeg --forget slot/s1" in missing.hint.en


def test_what_was_seen_only_briefly_is_not_missed() -> None:
    world = World()
    world.slots("s1", times=8)
    assert world.slots(times=5) == []


def test_what_comes_and_goes_is_never_learned() -> None:
    world = World()
    for _ in range(20):
        world.slots("s1", times=4)
        world.slots()
    assert world.notebook.of("simpeg") == {}


@pytest.mark.parametrize(
    ("label", "expects", "declared", "learned"),
    [
        (
            "replica",
            Expectations(standbys=("gone",)),
            "declared_standby_missing",
            "learned_standby_missing_seconds",
        ),
        (
            "slot",
            Expectations(slots=("gone",)),
            "declared_slot_missing",
            "learned_slot_missing_seconds",
        ),
        (
            "channel",
            Expectations(channels=("gone",)),
            "declared_channel_missing",
            "learned_channel_missing_seconds",
        ),
        (
            "member",
            Expectations(members=("gone",)),
            "declared_member_missing",
            "learned_member_missing_seconds",
        ),
        (
            "volume",
            Expectations(volumes=("gone",)),
            "declared_volume_missing",
            "learned_volume_missing_seconds",
        ),
    ],
)
def test_every_kind_of_member_is_missed_when_declared_and_when_learned(
    label: str, expects: Expectations, declared: str, learned: str
) -> None:
    lists_them = a_probe(
        "volumes", measures=(Measure("seen", "", "1 for each", label),), thresholds=(),
        judged_on_failure="",
    )  # fmt: skip
    stays, gone = Measurement("seen", 1.0, "stays"), Measurement("seen", 1.0, "gone")
    world = World(lists_them, expects=expects)
    world.read(lists_them, stays)
    (missing,) = world.read(lists_them, stays)
    assert (missing.measure, missing.subject) == (declared, "gone")
    world = World(lists_them)
    for _ in range(12):
        assert world.read(lists_them, stays, gone) == []
    world.read(lists_them, stays)
    (missing,) = world.read(lists_them, stays)
    assert (missing.measure, missing.subject) == (learned, "gone")


def test_a_declared_member_that_is_not_there_opens_an_incident() -> None:
    world = World(expects=Expectations(slots=("s1",)))
    world.slots()
    (missing,) = world.slots()
    assert missing.opens
    assert missing.title.en == "simpeg has lost its replication slot s1"


def test_a_probe_that_cannot_look_makes_nobody_disappear() -> None:
    world = World(expects=Expectations(slots=("s1",)))
    for kind in (FailureKind.BLIND, FailureKind.TIMEOUT):
        for _ in range(5):
            found = world.read(SLOTS, failure=a_failure(kind))
            assert [f for f in found if f.probe == "expected_slots"] == []


def test_a_member_that_another_probe_still_shows_is_not_missing() -> None:
    other = replace(SLOTS, name="more_slots")
    world = World(SLOTS, other, expects=Expectations(slots=("s1", "s2")))
    for _ in range(5):
        assert world.slots("s1") == []
        assert world.read(other, Measurement("slot_active", 1.0, "s2")) == []


def test_a_probe_that_was_switched_off_shows_no_member_any_more() -> None:
    other = replace(SLOTS, name="other_slots")
    world = World(SLOTS, other)
    for _ in range(12):
        world.read(other, Measurement("slot_active", 1.0, "s1"))
        assert world.slots("s1") == []
    world.plan = replace(world.plan, probes=(SLOTS,))
    world.pipeline.watch([world.plan], Maintenance())
    assert [each.subject for each in world.slots(times=3)] == ["s1"]


def test_a_member_that_is_back_is_clear_again() -> None:
    world = World()
    world.slots("s1", times=12)
    world.slots(times=3)
    assert world.slots("s1", times=2) == []
    assert world.notebook.of("simpeg")["slot", "s1"].gone_since is None


def test_a_disappearance_while_the_agent_was_down_is_seen_after_the_start(tmp_path: Path) -> None:
    file = tmp_path / "members.json"
    first = World(notebook=Notebook(file))
    first.slots("s1", times=12)
    first.notebook.flush()
    second = World(notebook=Notebook(file))
    second.slots()
    (missing,) = second.slots()
    assert missing.subject == "s1"


def test_a_forgotten_member_is_clear() -> None:
    world = World()
    world.slots("s1", times=12)
    assert world.slots(times=2)
    world.notebook.note(MemberChange("simpeg", Verb.FORGOTTEN, "slot", "s1", NOON))
    assert world.slots(times=2) == []


def test_an_unexpected_promotion_is_critical_and_says_what_it_was() -> None:
    world = World(ROLES)
    world.role(replica=True, times=12)
    world.role(replica=False)
    (changed,) = world.role(replica=False)
    assert changed.opens
    assert changed.family == "role"
    assert changed.title.en == "simpeg changed its role: it was a replica and is a primary now"
    assert changed.about["role"] == "replica"
    world.role(replica=True)
    assert world.role(replica=True) == []


def test_a_new_role_in_a_window_is_taken_for_the_plan() -> None:
    world = World(ROLES)
    world.role(replica=True, times=12)
    window = Window("failover", start=NOON, end=NOON + timedelta(minutes=20))
    world.pipeline.watch([world.plan], Maintenance([window]))
    assert world.role(replica=False, times=3) == []
    world.pipeline.watch([world.plan], Maintenance())
    assert world.role(replica=False, times=12) == []


MYSQL_ROLES = a_probe(
    "availability",
    measures=(
        Measure("up", "", "1 when usable"),
        Measure("read_only", "", "1 when it takes no writes"),
        Measure("is_replica", "", "1 when it follows"),
    ),
)


def closed(world: World, read_only: bool, times: int = 2, follows: bool = False) -> list[Finding]:
    bad: list[Finding] = []
    for _ in range(times):
        found = (
            Measurement("up", 1.0),
            Measurement("read_only", float(read_only)),
            Measurement("is_replica", float(follows)),
        )
        bad = world.read(MYSQL_ROLES, *found)
    return bad


def test_a_learned_primary_that_turned_read_only_opens_an_incident() -> None:
    world = World(MYSQL_ROLES)
    assert closed(world, read_only=False, times=12) == []
    (turned,) = closed(world, read_only=True)
    assert turned.opens
    assert turned.measure == "learned_primary_read_only"
    assert "simpeg has turned read-only" in turned.title.en
    assert closed(world, read_only=False) == []


def test_a_primary_that_became_a_replica_is_a_changed_role_and_no_more() -> None:
    world = World(MYSQL_ROLES)
    closed(world, read_only=False, times=12)
    (changed,) = closed(world, read_only=True, follows=True)
    assert changed.measure == "role_changed"


def test_a_server_that_never_was_a_primary_may_be_read_only() -> None:
    world = World(MYSQL_ROLES)
    assert closed(world, read_only=True, times=20) == []


def test_a_declared_role_is_left_to_the_probe_that_judges_it() -> None:
    world = World(ROLES, role="replica")
    assert world.role(replica=False, times=20) == []


def test_another_upstream_is_a_warning_when_learned_and_critical_when_declared() -> None:
    learned = World(STREAM)
    learned.follows("db1:5432", times=12)
    (changed,) = learned.follows("db2:5432", times=2)
    assert changed.severity is Severity.WARNING
    assert changed.title.en == "simpeg follows db2:5432 now, it was db1:5432"
    declared = World(STREAM, expects=Expectations(upstream="db1"))
    assert declared.follows("db1:5432", times=2) == []
    (wrong,) = declared.follows("db2:5432", times=2)
    assert wrong.opens
    assert (changed.measure, wrong.measure) == (
        "learned_upstream_changed",
        "declared_upstream_wrong",
    )


@pytest.mark.parametrize("demoted", [True, False])
def test_the_standbys_of_a_demoted_primary_are_not_missed(demoted: bool) -> None:
    standbys = replace(
        SLOTS, name="replication_lag",
        measures=(Measure("standby_streaming", "", "1 when it streams", "replica"),),
    )  # fmt: skip
    world = World(ROLES, standbys)
    for _ in range(12):
        world.role(replica=False)
        world.read(standbys, Measurement("standby_streaming", 1.0, "r1"))
    for _ in range(3):
        world.role(replica=demoted)
        missing = world.read(standbys)
    assert [each.subject for each in missing] == ([] if demoted else ["r1"])


def test_members_are_shown_on_metrics() -> None:
    world = World(expects=Expectations(slots=("s1",)))
    world.slots("s1")
    assert 'sigap_declared_slot_missing{target="simpeg",slot="s1"} 0.0' in world.board.text(0)


def test_a_volume_is_missed_although_another_probe_of_volumes_is_blind() -> None:
    world = World(VOLUMES, DELETED, expects=Expectations(volumes=("/srv/wal",)))
    blind = a_failure(FailureKind.BLIND, "no right to read the processes")
    world.read(DELETED, failure=blind)
    here = Measurement("volumes_bytes", 1.0, "/srv/data")
    world.read(VOLUMES, here)
    bad = world.read(VOLUMES, here)
    assert [each.subject for each in bad] == ["/srv/wal"]


def test_a_member_that_left_its_cluster_is_missed_until_a_person_forgets_it() -> None:
    world = World(GROUP)
    assert world.members("db1:3306", "db2:3306", times=12) == []
    world.members("db1:3306")
    (missing,) = world.members("db1:3306")
    assert (missing.subject, missing.severity) == ("db2:3306", Severity.WARNING)
    assert missing.title.en.startswith("Cluster member db2:3306 of simpeg has been gone")
    (gone,) = world.members("db1:3306", times=6)
    assert (gone.severity, gone.opens) == (Severity.CRITICAL, True)
    at = NOON + timedelta(minutes=world.minute)
    world.notebook.note(MemberChange(world.target.name, Verb.FORGOTTEN, "member", "db2:3306", at))
    assert world.members("db1:3306", times=2) == []


def test_a_member_outside_its_cluster_has_no_word_about_the_others() -> None:
    world = World(GROUP, expects=Expectations(members=("db2:3306",)))
    assert world.members("db1:3306", "db2:3306", times=12) == []
    assert world.members(times=3) == []


def test_a_round_counts_once_where_two_probes_know_of_clusters() -> None:
    """Of two kinds of clusters a server can belong to one; the other's probe has no word."""
    galera = a_probe(
        "galera",
        measures=(Measure("galera_member", "", "1 for each", "member"),),
        thresholds=(),
        judged_on_failure="",
    )
    world = World(GROUP, galera, expects=Expectations(members=("db2:3306",)))
    world.read(galera)
    assert world.members("db1:3306") == []
    assert world.read(galera) == []
    (missing,) = world.members("db1:3306")
    assert missing.opens
