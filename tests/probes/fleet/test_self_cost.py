"""The agent's own cost is judged like any measure."""

from __future__ import annotations

from datetime import timedelta

from probes import FailureKind, Severity
from probes.fleet import self_cost
from probes.fleet.observation import observed
from probes.fleet.plan import Plan
from probes.fleet.self_cost import SelfCost
from probes.judge import Judge
from probes.words.cost import Cost
from tests.support.builders import NOON, a_failure, a_probe, a_reading, a_target

TARGET = a_target()
RARE = ("connections", "volumes")
PLAN = Plan(
    TARGET,
    (a_probe(), *(a_probe(name, judged_on_failure="") for name in RARE)),
    interval=15.0,
    deadline=2.0,
)


class Spending:
    """A target with a judge, and a cost that a test raises."""

    def __init__(self) -> None:
        self.cost = Cost()
        self.so_far = SelfCost()
        self.judge = Judge()
        self.seconds = 0
        self.stuck = False  # all but the first probe are never got round to

    def reads(self, times: int, busy: float = 0.0, lock_waits: int = 0) -> dict[str, Severity]:
        """The verdicts after so many intervals of 15 s with so much time spent in each."""
        verdicts: dict[str, Severity] = {}
        for _ in range(times):
            self.seconds += 15
            self.cost.seconds += busy
            self.cost.lock_waits += lock_waits
            reading = a_reading(at=NOON + timedelta(seconds=self.seconds))
            for name in () if self.stuck else RARE:
                asked = observed(PLAN, a_probe(name, judged_on_failure=""), reading)
                assert self.so_far.derive(asked, self.cost) == []
            for each in self.so_far.derive(observed(PLAN, a_probe(), reading), self.cost):
                findings = self.judge.assess(TARGET, self_cost.PROBE, each.reading).findings
                verdicts |= {finding.measure: finding.severity for finding in findings}
        return verdicts

    def fails(self, times: int, kind: FailureKind, busy: float = 0.0) -> None:
        """The server cannot be used for so many intervals, each of which costs so much waiting."""
        for _ in range(times):
            self.seconds += 15
            self.cost.seconds += busy
            at = NOON + timedelta(seconds=self.seconds)
            failed = a_reading(at=at, measurements=(), failure=a_failure(kind))
            assert self.so_far.derive(observed(PLAN, a_probe(), failed), self.cost) == []


def test_ordinary_watching_is_within_the_budget() -> None:
    verdicts = Spending().reads(60, busy=0.2)
    assert set(verdicts.values()) == {Severity.CLEAR}
    assert {"own_sessions", "own_busy_ratio", "own_lock_waits"} <= set(verdicts)


def test_a_fourth_session_is_a_finding_against_ourselves_and_passes() -> None:
    spending = Spending()
    for _ in range(4):
        spending.cost.opened()
    for _ in range(3):
        spending.cost.closed()
    assert spending.reads(1)["own_sessions"] is Severity.CRITICAL
    assert spending.reads(2)["own_sessions"] is Severity.CLEAR


def test_time_spent_is_judged_over_minutes_not_by_one_slow_answer() -> None:
    spending = Spending()
    spending.reads(20, busy=0.1)
    assert spending.reads(1, busy=14.0)["own_busy_ratio"] is Severity.CLEAR
    assert spending.reads(30, busy=5.0)["own_busy_ratio"] is Severity.WARNING
    assert spending.reads(30, busy=9.0)["own_busy_ratio"] is Severity.CRITICAL
    assert spending.reads(40, busy=0.1)["own_busy_ratio"] is Severity.CLEAR


def test_waiting_for_locks_again_and_again_is_a_warning() -> None:
    spending = Spending()
    assert spending.reads(4, lock_waits=1)["own_lock_waits"] is Severity.CLEAR
    assert spending.reads(4, lock_waits=1)["own_lock_waits"] is Severity.WARNING


def test_a_new_owner_begins_a_new_account() -> None:
    spending = Spending()
    spending.reads(20, busy=14.0)
    spending.cost.seconds = 0.0
    assert spending.reads(10, busy=0.1)["own_busy_ratio"] is Severity.CLEAR


def test_what_a_fast_target_is_remembered_by_stays_small() -> None:
    spent = SelfCost()
    for tick in range(5 * 600):  # ten minutes, five readings a second
        reading = a_reading(at=NOON + timedelta(seconds=tick / 5))
        spent.derive(observed(PLAN, a_probe(), reading), Cost())
    assert len(spent._marks) <= 62


def test_probes_we_do_not_get_round_to_are_a_finding_against_ourselves_and_pass() -> None:
    spending = Spending()
    assert spending.reads(10)["own_stale_probes"] is Severity.CLEAR
    spending.stuck = True
    assert spending.reads(3)["own_stale_probes"] is Severity.CLEAR
    assert spending.reads(4)["own_stale_probes"] is Severity.WARNING
    spending.stuck = False
    assert spending.reads(3)["own_stale_probes"] is Severity.CLEAR


def test_a_server_that_was_down_made_nothing_stale() -> None:
    spending = Spending()
    spending.reads(4)
    spending.fails(20, FailureKind.REFUSED)
    spending.stuck = True  # the server has come back; its other probes were not asked yet
    assert spending.reads(3)["own_stale_probes"] is Severity.CLEAR


def test_what_was_waited_for_a_frozen_server_is_no_load_on_it() -> None:
    spending = Spending()
    spending.reads(20, busy=0.1)
    spending.fails(20, FailureKind.TIMEOUT, busy=10.0)
    seen = [spending.reads(1, busy=0.1) for _ in range(20)]  # it answers again
    assert {each.get("own_busy_ratio", Severity.CLEAR) for each in seen} == {Severity.CLEAR}
    assert "own_busy_ratio" in seen[-1]


def test_a_host_that_slept_made_nothing_stale() -> None:
    spending = Spending()
    spending.reads(4)
    spending.seconds += 7200
    spending.stuck = True
    assert spending.reads(2)["own_stale_probes"] is Severity.CLEAR


def test_sessions_that_were_open_between_two_readings_are_counted_whoever_else_looks() -> None:
    spending = Spending()
    for _ in range(4):
        spending.cost.opened()
    for _ in range(4):
        spending.cost.closed()
    assert spending.cost.most_sessions(0) == 4
    assert spending.reads(1)["own_sessions"] is Severity.CRITICAL
    assert spending.cost.most_sessions(0) == 4, "reading it changes nothing"
