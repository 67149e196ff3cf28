"""One thread per target, no target waits for another, a reload touches only what changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from agent.runtime.evidence import Request
from agent.runtime.pipeline import Handled
from agent.runtime.scheduler import MOST_REQUESTS, Clocks, Loop, Scheduler
from probes import Evidence, FailureKind, Measurement, Probe, Reading, Session, Tuning
from probes.fleet.plan import Plan, plan
from probes.runner import Owner
from tests.support.builders import a_probe, a_target
from tests.support.clock import HandClock
from tests.support.fakes import FakeServer
from tests.support.wait import until

REAL = Clocks(lambda: datetime.now(UTC), time.monotonic)


def asks(session: Session) -> list[Measurement]:
    session.rows("select 1")
    return [Measurement("up", 1.0)]


REQUEST = Request("a", "b", a_probe(), ())
"""What b asks of a."""


class Bench:
    """A scheduler over fake servers, with everything it handed on."""

    def __init__(self) -> None:
        self.servers: dict[str, FakeServer] = {}
        self.readings: list[Reading] = []
        self.gone: list[str] = []
        self.answers: list[tuple[Request, Evidence | None]] = []
        self.scheduler = Scheduler(self, self.owner, REAL, self.gone.append)

    def owner(self, plan: Plan) -> Owner:
        server = self.servers.setdefault(plan.target.name, FakeServer())
        return Owner(plan.target, server.engine, plan.deadline)

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled:
        self.readings.append(reading)
        return Handled(in_doubt=False)

    def answer(self, request: Request, taken: Evidence | None) -> None:
        self.answers.append((request, taken))

    def count(self, target: str) -> int:
        return sum(reading.target == target for reading in self.readings)

    def plan(self, name: str, interval: float = 0.05, **changes: Any) -> Plan:
        return Plan(a_target(name, **changes), (a_probe(read=asks),), interval, 0.5)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for server in made.servers.values():
        server.frozen.clear()
        server.thawed.set()
    made.scheduler.stop(5)


def test_every_target_is_read_again_and_again(bench: Bench) -> None:
    bench.scheduler.apply([bench.plan("a"), bench.plan("b")])
    until("five readings of both", lambda: min(bench.count("a"), bench.count("b")) >= 5)
    assert bench.servers["a"].logins == 1


def test_a_frozen_target_delays_no_other(bench: Bench) -> None:
    bench.servers["frozen"] = frozen = FakeServer()
    frozen.frozen.set()
    bench.scheduler.apply([bench.plan("frozen"), bench.plan("healthy")])
    until("twenty readings of the healthy one", lambda: bench.count("healthy") >= 20)
    assert bench.count("frozen") == 0
    assert bench.scheduler.waiting() == ["frozen"]


def test_a_round_never_overlaps_itself(bench: Bench) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def slow(session: Session) -> list[Measurement]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1
        return [Measurement("up", 1.0)]

    bench.scheduler.apply([Plan(a_target("a"), (a_probe(read=slow),), 0.01, 0.5)])
    until("rounds left out", lambda: bench.scheduler.loops[0].timetable.skipped >= 5)
    assert most == 1


def test_a_reload_leaves_an_untouched_target_its_thread_and_session(bench: Bench) -> None:
    bench.scheduler.apply([bench.plan("a"), bench.plan("b"), bench.plan("c")])
    until("a first reading of all", lambda: not bench.scheduler.waiting())
    before = {loop.plan.target.name: loop for loop in bench.scheduler.loops}
    started, ended = bench.scheduler.apply([bench.plan("a"), bench.plan("b", role="replica")])
    assert (started, ended) == (["b"], ["c"])
    after = {loop.plan.target.name: loop for loop in bench.scheduler.loops}
    assert after["a"] is before["a"] and after["b"] is not before["b"]
    assert bench.servers["a"].logins == 1
    assert bench.gone == ["c"]
    until("the session of the one that left closed", lambda: not bench.servers["c"].open_sessions)
    until("the changed one logged in anew", lambda: bench.servers["b"].logins == 2)
    assert bench.servers["b"].open_sessions == 1


def test_a_changed_target_waits_for_its_own_session_to_end(bench: Bench) -> None:
    bench.scheduler.apply([bench.plan("a")])
    until("a first reading", lambda: bench.count("a"))
    server = bench.servers["a"]
    server.frozen.set()
    time.sleep(0.1)  # long enough for the loop to be inside a call that hangs
    bench.scheduler.apply([bench.plan("a", role="replica")])
    assert server.open_sessions == 1
    server.frozen.clear()
    server.thawed.set()
    until("the new session", lambda: server.logins == 2)
    assert server.open_sessions == 1


def test_a_bug_in_one_round_does_not_end_the_watch(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Handed):
        def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled:
            if not self.readings:
                self.readings.append(reading)
                raise ValueError("boom")
            return bench.handle(plan, probe, reading, owner)

    bench.scheduler = Scheduler(Breaking([]), bench.owner, REAL, bench.gone.append)
    bench.scheduler.apply([bench.plan("a")])
    until("a reading after the bug", lambda: bench.count("a"))
    assert "round of target a failed unexpectedly" in caplog.text


def test_stopping_does_not_wait_for_a_frozen_server(bench: Bench) -> None:
    bench.servers["frozen"] = frozen = FakeServer()
    frozen.frozen.set()
    bench.scheduler.apply([bench.plan("frozen"), bench.plan("healthy")])
    until("a reading of the healthy one", lambda: bench.count("healthy"))
    started = time.monotonic()
    assert bench.scheduler.stop(0.3) == ["frozen"]
    assert time.monotonic() - started < 1.0


def a_loop(server: FakeServer, clock: HandClock, handed: list[Reading]) -> Loop:
    probes = (a_probe(read=asks), a_probe("locks", read=asks, every=5.0, judged_on_failure=""))
    made = Plan(a_target("a"), probes, 15.0, 1.0)
    owner = Owner(made.target, server.engine, 1.0)
    return Loop(made, owner, Handed(handed), clock.clocks, clock.monotonic(), nobody)


class Handed:
    """A pipeline that records its readings, and is in doubt about failures and zeros."""

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.threads: list[str] = []  # that brought answers

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled:
        self.readings.append(reading)
        return Handled(
            reading.failure is not None or any(not m.value for m in reading.measurements)
        )

    def answer(self, request: Request, taken: Evidence | None) -> None:
        self.threads.append(threading.current_thread().name)


def nobody(request: Request) -> None:
    """There is no other target."""


def test_a_target_that_is_down_is_asked_at_the_plain_interval_and_recovers_within_it() -> None:
    server, clock, handed = FakeServer(), HandClock(), list[Reading]()
    loop = a_loop(server, clock, handed)
    server.refuses = FailureKind.REFUSED
    rounds = []
    for _ in range(8):
        at = clock.monotonic()
        loop.round(at)
        rounds.append(loop.timetable.next - at)
        clock.move(loop.timetable.next - at)
    assert rounds[:3] == [5.0, 5.0, 5.0]
    assert max(rounds) <= 15.0 and rounds[-1] == 15.0
    server.refuses = None
    loop.round(clock.monotonic())
    assert handed[-1].failure is None
    assert loop.timetable.next - clock.monotonic() == 5.0


def test_a_target_that_is_down_keeps_its_interval_when_its_rounds_begin_late() -> None:
    server, clock, handed = FakeServer(), HandClock(), list[Reading]()
    loop = a_loop(server, clock, handed)
    server.refuses = FailureKind.REFUSED
    due = []
    for _ in range(12):
        due.append(loop.timetable.next)
        clock.move(loop.timetable.next + 0.05 - clock.monotonic())  # a busy machine
        loop.round(clock.monotonic())
    gaps = [after - before for before, after in pairwise(due)]
    assert gaps[:3] == [5.0, 5.0, 5.0]
    assert set(gaps[4:]) == {15.0}


def a_loop_with_a_rare_login(
    server: FakeServer, clock: HandClock, handed: list[Reading], works: list[float]
) -> Loop:
    """``works``: its last entry is the result of logins from now on."""
    login = a_probe(
        "login",
        read=lambda session: [Measurement("up", works[-1])],
        every=60.0,
        judged_on_failure="",
        sooner_in_doubt=True,
    )
    # of this name the rare probe's grid begins with the first round
    made = Plan(a_target("b"), (a_probe(read=asks), login), 15.0, 1.0)
    assert made.shifts["login"] == 0.0
    owner = Owner(made.target, server.engine, 1.0)
    return Loop(made, owner, Handed(handed), clock.clocks, clock.monotonic(), nobody)


def turn(loop: Loop, clock: HandClock, handed: list[Reading]) -> set[str]:
    """One round when it is due; which probes had a reading."""
    handed.clear()
    clock.move(loop.timetable.next - clock.monotonic())
    loop.round(clock.monotonic())
    return {reading.probe for reading in handed}


def test_a_rare_question_comes_at_every_interval_while_it_is_in_doubt() -> None:
    clock, handed, works = HandClock(), list[Reading](), [1.0]
    loop = a_loop_with_a_rare_login(FakeServer(), clock, handed, works)
    both, one = {"availability", "login"}, {"availability"}
    assert [turn(loop, clock, handed) for _ in range(5)] == [both, one, one, one, both]
    works.append(0.0)
    assert [turn(loop, clock, handed) for _ in range(6)] == [one, one, one, both, both, both]
    works.append(1.0)
    assert [turn(loop, clock, handed) for _ in range(4)] == [both, both, one, one]


def test_questions_that_are_all_asked_less_often_stay_together_in_one_round() -> None:
    tuned = {name: Tuning(every=60.0) for name in ("availability", "locks")}
    target = a_target("a", probes=tuned)
    slow = plan(target, (a_probe(), a_probe("locks", judged_on_failure="")), 15.0, 5.0)
    assert set(slow.shifts.values()) == {0.0}


def test_a_server_that_comes_back_is_asked_for_a_login_in_that_round() -> None:
    server, clock, handed = FakeServer(), HandClock(), list[Reading]()
    loop = a_loop_with_a_rare_login(server, clock, handed, [1.0])
    turn(loop, clock, handed)
    server.refuses = FailureKind.REFUSED
    assert turn(loop, clock, handed) == {"availability"}
    server.refuses = None
    assert turn(loop, clock, handed) == {"availability", "login"}
    assert all(reading.failure is None for reading in handed)


def test_a_rare_question_is_stale_by_its_own_period() -> None:
    loop = a_loop_with_a_rare_login(FakeServer(), HandClock(), [], [1.0])
    login = loop.plan.probes[1]
    assert loop.plan.periods["login"] == 60.0
    assert loop.plan.stale_after(login) == 3 * 60.0 + 2 * 1.0


def test_host_probes_are_left_out_for_a_server_elsewhere() -> None:
    known = (a_probe(), a_probe("volumes", engine="host", judged_on_failure=""))
    here = plan(a_target("a", host="db01"), known, 15.0, 5.0)
    there = plan(a_target("a"), known, 15.0, 5.0)
    assert [p.name for p in here.probes] == ["availability", "volumes"]
    assert [p.name for p in there.probes] == ["availability"]


def test_a_probe_that_is_switched_off_is_not_asked() -> None:
    target = a_target("a", probes={"availability": Tuning(enabled=False)})
    assert plan(target, (a_probe(),), 15.0, 5.0).probes == ()


def test_a_targets_own_interval_wins_over_the_probes_own() -> None:
    probe = a_probe("locks", every=5.0)
    tuned = a_target("a", probes={"locks": Tuning(every=1.0)})
    assert plan(a_target("a"), (probe,), 15.0, 5.0).periods == {"locks": 5.0}
    assert plan(tuned, (probe,), 15.0, 5.0).periods == {"locks": 1.0}


def test_targets_asked_less_often_than_the_interval_use_the_whole_time_between(
    bench: Bench,
) -> None:
    tuned = {"availability": Tuning(every=60.0)}
    plans = [
        Plan(a_target(f"db{n}", probes=tuned), (a_probe(read=asks),), 0.05, 0.05) for n in range(50)
    ]
    before = time.monotonic()
    bench.scheduler.apply(plans)
    after = time.monotonic()
    begin = [(loop.timetable.next - before) % 60.0 for loop in bench.scheduler.loops]
    span = max(begin) - min(begin)
    assert span > 0.5 + (after - before), "all within one interval, then nothing for a minute"


def test_a_probe_that_comes_more_often_does_not_crowd_the_first_rounds() -> None:
    often = a_target("a", probes={"availability": Tuning(every=1.0)})
    assert plan(often, (a_probe(),), 15.0, 5.0).between_rounds == 15.0
    assert plan(a_target("a", probes={}), (), 15.0, 5.0).between_rounds == 15.0


def test_a_loop_that_no_longer_advances_is_said() -> None:
    server, clock = FakeServer(), HandClock()
    loop = a_loop(server, clock, [])
    assert loop.stalled(clock.monotonic())  # its thread does not run at all
    loop.start()
    until("the first round", lambda: loop.rounds)
    assert not loop.stalled(clock.monotonic())
    assert loop.stalled(clock.monotonic() + 15.0 + loop.plan.longest_round + 1.0)
    loop.stop()
    assert loop.join(5)


def test_a_request_is_answered_by_the_targets_own_thread_between_two_rounds() -> None:
    server, clock, handed = FakeServer(), HandClock(), Handed([])
    made = Plan(a_target("a"), (a_probe(read=asks),), 15.0, 1.0)
    owner = Owner(made.target, server.engine, 1.0)
    loop = Loop(made, owner, handed, clock.clocks, clock.monotonic(), nobody)
    loop.start()
    until("the first round", lambda: loop.rounds)
    assert loop.ask(REQUEST)
    until("the answer", lambda: handed.threads)
    assert handed.threads == ["target a"]
    loop.stop()
    assert loop.join(5)
    assert not loop.ask(REQUEST)


def test_an_answer_that_breaks_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Breaking(Handed):
        def answer(self, request: Request, taken: Evidence | None) -> None:
            raise ValueError("boom")

    clock = HandClock()
    made = Plan(a_target("a"), (a_probe(read=asks),), 15.0, 1.0)
    owner = Owner(made.target, FakeServer().engine, 1.0)
    loop = Loop(made, owner, Breaking([]), clock.clocks, clock.monotonic(), nobody)
    loop.ask(REQUEST)
    loop.round(clock.monotonic())
    assert loop.rounds == 1
    assert "evidence of a for a partner failed unexpectedly" in caplog.text


def test_a_frozen_target_takes_no_more_requests_than_it_could_ever_answer() -> None:
    loop = a_loop(FakeServer(), HandClock(), [])
    taken = sum(loop.ask(REQUEST) for _ in range(50))
    assert taken == MOST_REQUESTS


def test_a_request_to_a_target_that_is_not_watched_is_answered_with_nothing(bench: Bench) -> None:
    bench.scheduler.send(REQUEST)
    assert bench.answers == [(REQUEST, None)]


def test_a_server_in_distress_is_asked_less_often_but_still_whether_it_lives() -> None:
    server, clock = FakeServer(), HandClock()
    loop = a_loop(server, clock, [])
    loop.owner = Slow(loop.plan.target, server.engine, 1.0)
    at = clock.monotonic()
    loop.round(at)
    assert loop.eased
    assert loop.timetable.take(at + 15.0) == ("availability",)
    assert loop.timetable.take(at + 25.0) == ("locks",)


def test_a_server_that_answers_quickly_is_not_eased() -> None:
    clock = HandClock()
    loop = a_loop(FakeServer(), clock, [])
    loop.round(clock.monotonic())
    assert not loop.eased


class Slow(Owner):
    """An owner whose server takes 6 s of the 15 s of an interval to answer."""

    def round(self, due: Any, now: Any) -> Any:
        self.cost.seconds += 6.0
        return super().round(due, now)
