"""The runner: failure is data, a hung server costs one budget, sessions are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from probes import (
    Address,
    Down,
    Exhibit,
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Row,
    Session,
    Shared,
    Target,
    Text,
)
from probes.engine import Engine
from probes.judge import why
from probes.runner import MOST_SLOW, PATHS_SECONDS, Owner
from tests.support.evidence import english

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TARGET = Target("simpeg", "fake", Address("127.0.0.1", 1, "sigap"), volumes={"wal": "/srv/wal"})


class FakeServer:
    """Stands at the session seam: counts what is open and fails on command."""

    def __init__(self) -> None:
        self.open_sessions = 0
        self.logins = 0
        self.login_fails: FailureKind | None = None
        self.kept_fails: FailureKind | None = None
        self.paths: Mapping[str, str] = {"data": "/srv/data"}

    def open(self, target: Target, purpose: str) -> Session:
        if self.login_fails:
            raise ProbeError(self.login_fails, "login failed")
        self.logins += 1
        self.open_sessions += 1
        return FakeSession(self, target)

    @property
    def engine(self) -> Engine:
        return Engine("fake", "Fake", 1, ("fake",), self.open)


class FakeSession:
    flavour = "fake"
    version = 1
    phases: Mapping[str, float] = {}

    def __init__(self, server: FakeServer, target: Target) -> None:
        self.server = server
        self.target = target
        self.memory: dict[str, object] = {}

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        failing, self.server.kept_fails = self.server.kept_fails, None
        if failing:
            raise ProbeError(failing, "the session broke")
        return [{"one": 1}, {"one": 2}]

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        session = self.server.open(self.target, "fresh")
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        return self.server.paths

    def close(self) -> None:
        self.server.open_sessions -= 1


def probe(
    name: str,
    read: Callable[[Session], Iterable[Measurement]],
    engine: str = "fake",
    exhibits: Callable[[Session], Iterable[Exhibit]] | None = None,
) -> Probe:
    return Probe(
        name,
        engine,
        Text("?", "?"),
        (Measure("value", "", "A value."),),
        (),
        read,
        exhibits=exhibits,
    )


def ask(session: Session) -> Iterable[Measurement]:
    return [Measurement("value", float(len(session.rows("select"))))]


def test_a_reading_carries_its_measurements_or_its_failure_never_both() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    good, bad = owner.round(
        [probe("good", ask), probe("bad", lambda session: [Measurement("undeclared", 1.0)])],
        lambda: NOW,
    )
    assert good.failure is None
    assert [m.value for m in good.measurements] == [2.0]
    assert bad.failure is not None
    assert bad.failure.kind is FailureKind.BROKEN
    assert bad.measurements == ()


def test_a_value_that_is_not_a_number_is_broken_not_exported() -> None:
    owner = Owner(TARGET, FakeServer().engine)
    (reading,) = owner.round(
        [probe("nan", lambda session: [Measurement("value", float("nan"))])], lambda: NOW
    )
    assert reading.failure is not None
    assert reading.failure.kind is FailureKind.BROKEN


def late(session: Session) -> Iterable[Measurement]:
    raise ProbeError(FailureKind.TIMEOUT, "no answer within the deadline")


def test_one_slow_question_is_blind_and_hides_no_other() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    alive, slow, other = owner.round(
        [probe("alive", ask), probe("slow", late), probe("other", ask)], lambda: NOW
    )
    assert alive.failure is None
    assert slow.failure is not None
    assert slow.failure.kind is FailureKind.BLIND
    assert "although the server answers others" in slow.failure.message
    assert other.failure is None
    assert server.open_sessions == 1, "the session that hangs was let go"


def test_a_server_that_freezes_within_a_round_is_down_at_the_next_login() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)

    def freezes(session: Session) -> Iterable[Measurement]:
        server.login_fails = FailureKind.TIMEOUT
        return late(session)

    asked = [probe("alive", ask), probe("freezes", freezes), probe("next", ask), probe("last", ask)]
    kinds = [
        reading.failure and reading.failure.kind for reading in owner.round(asked, lambda: NOW)
    ]
    assert kinds == [None, FailureKind.BLIND, FailureKind.TIMEOUT, FailureKind.TIMEOUT]


def test_a_round_waits_for_only_so_many_slow_questions() -> None:
    owner = Owner(TARGET, FakeServer().engine)
    asked = [probe("alive", ask), *(probe(f"slow{n}", late) for n in range(MOST_SLOW + 2))]
    kinds = [
        reading.failure and reading.failure.kind for reading in owner.round(asked, lambda: NOW)
    ]
    assert kinds.count(FailureKind.BLIND) == MOST_SLOW
    assert kinds.count(FailureKind.TIMEOUT) == 2


def test_where_the_files_are_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    seen: list[Mapping[str, str]] = []

    def look(session: Session) -> Iterable[Measurement]:
        seen.append(session.paths())
        return []

    asked = [probe("alive", ask), probe("host", look, engine="host")]
    list(owner.round(asked, lambda: NOW))
    server.paths = {"data": "/srv/data", "tablespace": "/srv/fast"}
    list(owner.round(asked, lambda: NOW))
    assert "tablespace" not in seen[-1]
    later = time.monotonic() + PATHS_SECONDS
    monkeypatch.setattr("probes.runner.time.monotonic", lambda: later)
    list(owner.round(asked, lambda: NOW))
    assert seen[-1]["tablespace"] == "/srv/fast"


def test_a_bug_in_one_probe_does_not_end_the_others() -> None:
    def bug(session: Session) -> Iterable[Measurement]:
        raise KeyError("column that was renamed")

    owner = Owner(TARGET, FakeServer().engine)
    broken, fine = owner.round([probe("bug", bug), probe("fine", ask)], lambda: NOW)
    assert broken.failure is not None
    assert "column that was renamed" in broken.failure.message
    assert fine.failure is None


def test_a_server_that_is_down_is_asked_once_per_round() -> None:
    server = FakeServer()
    server.login_fails = FailureKind.REFUSED
    attempts: list[str] = []
    owner = Owner(TARGET, server.engine)

    def counted(session: Session) -> Iterable[Measurement]:
        attempts.append("asked")
        return ask(session)

    readings = list(owner.round([probe("a", counted), probe("b", counted)], lambda: NOW))
    assert [r.failure.kind if r.failure else None for r in readings] == [FailureKind.REFUSED] * 2
    assert attempts == []


def test_a_session_closed_by_a_restart_is_opened_anew_within_the_round() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("a", ask)], lambda: NOW))
    server.kept_fails = FailureKind.UNREACHABLE
    (reading,) = owner.round([probe("a", ask)], lambda: NOW)
    assert reading.failure is None
    assert server.logins == 2
    assert server.open_sessions == owner.cost.sessions == 1


def test_a_further_session_that_is_refused_leaves_the_kept_one_in_use() -> None:
    server = FakeServer()

    def further(session: Session) -> Iterable[Measurement]:
        with session.fresh() as own:
            own.rows("select 1")
        yield Measurement("value", 1.0)

    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("kept", ask)], lambda: NOW))
    server.login_fails = FailureKind.DENIED
    (reading,) = owner.round([probe("further", further)], lambda: NOW)
    assert reading.failure is not None
    assert (reading.failure.kind, reading.failure.message) == (FailureKind.BLIND, "login failed")
    assert why(reading.failure) == Text(
        "tidak mendapat sesi tambahan (login failed)",
        "no further session was to be had (login failed)",
    )
    (again,) = owner.round([probe("kept", ask)], lambda: NOW)
    assert again.failure is None
    assert server.logins == 1


def test_a_timeout_is_not_tried_again_in_the_same_round() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("a", ask)], lambda: NOW))
    server.kept_fails = FailureKind.TIMEOUT
    first, second = owner.round([probe("a", ask), probe("b", ask)], lambda: NOW)
    assert first.failure is not None
    assert first.failure.kind is FailureKind.TIMEOUT
    assert second.failure == first.failure
    assert server.open_sessions == owner.cost.sessions == 0


def test_volumes_of_a_dead_server_are_still_looked_at() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("a", ask)], lambda: NOW))
    server.kept_fails = FailureKind.TIMEOUT
    seen: list[Mapping[str, str]] = []

    def look(session: Session) -> Iterable[Measurement]:
        seen.append(session.paths())
        return []

    _, host = owner.round([probe("a", ask), probe("disk", look, engine="host")], lambda: NOW)
    assert host.failure is None
    assert seen == [{"data": "/srv/data", "wal": "/srv/wal"}]


def test_every_session_opened_is_counted_and_given_back() -> None:
    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    open_during: list[int] = []

    def both(session: Session) -> Iterable[Measurement]:
        with session.fresh() as fresh:
            fresh.rows("select")
            open_during.append(owner.cost.sessions)
        return ask(session)

    for _ in range(50):
        list(owner.round([probe("both", both)], lambda: NOW))
    assert set(open_during) == {2}
    assert server.open_sessions == owner.cost.sessions == 1
    assert owner.cost.rows == 50 * 4
    owner.drop()
    assert server.open_sessions == owner.cost.sessions == 0


def test_evidence_that_cannot_be_taken_says_why() -> None:
    def hidden(session: Session) -> Iterable[Exhibit]:
        raise ProbeError(FailureKind.BLIND, "grant pg_monitor first")

    owner = Owner(TARGET, FakeServer().engine)
    asked = probe("a", ask, exhibits=hidden)
    list(owner.round([asked], lambda: NOW))
    evidence = owner.gather(asked, NOW)
    assert evidence is not None
    assert evidence.exhibits[0].note == "grant pg_monitor first"


def test_what_changed_lately_is_shown_with_every_probe_and_never_in_place_of_its_evidence() -> None:
    def locked(session: Session) -> Iterable[Exhibit]:
        raise ProbeError(FailureKind.BLIND, "no right to the log")

    def one(title: str) -> Exhibit:
        return Exhibit(Text(title, title), (), ())

    asked, silent = probe("a", ask, exhibits=lambda session: [one("own")]), probe("b", ask)
    engine = replace(FakeServer().engine, lately=lambda session: [one("lately")])
    for given, lately in ((engine.lately, "lately"), (locked, "Last changes on the server")):
        owner = Owner(TARGET, replace(engine, lately=given))
        list(owner.round([asked], lambda: NOW))
        for each, titles in ((asked, ["own", lately]), (silent, [lately])):
            evidence = owner.gather(each, NOW)
            assert evidence is not None
            assert [exhibit.title.en for exhibit in evidence.exhibits] == titles


def test_a_server_that_is_down_is_shown_by_probes_that_can_without_a_session() -> None:
    seen: list[Down] = []

    def when_down(view: Session, down: Down) -> Iterable[Exhibit]:
        seen.append(down)
        yield Exhibit(Text("?", "?"), (), (), note=view.paths()["data"])

    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    needs_a_session = probe("needs", ask, exhibits=lambda session: [])
    asked = replace(needs_a_session, name="a", exhibits_when_down=when_down)
    list(owner.round([asked], lambda: NOW))
    server.login_fails = FailureKind.REFUSED
    server.kept_fails = FailureKind.UNREACHABLE
    list(owner.round([asked], lambda: NOW))
    evidence = owner.gather(asked, NOW)
    assert evidence is not None
    assert evidence.exhibits[0].note == "/srv/data"
    assert owner.gather(needs_a_session, NOW) is None
    ((failure, at_login, answered_at),) = [(d.failure, d.at_login, d.answered_at) for d in seen]
    assert (failure.kind, at_login, answered_at) == (FailureKind.REFUSED, True, NOW)


def test_a_bug_in_what_is_shown_of_a_server_that_is_down_stops_no_finding() -> None:
    def broken(view: Session, down: Down) -> Iterable[Exhibit]:
        raise ZeroDivisionError("ours")

    server = FakeServer()
    server.login_fails = FailureKind.REFUSED
    owner = Owner(TARGET, server.engine)
    asked = replace(probe("a", ask), exhibits_when_down=broken)
    list(owner.round([asked], lambda: NOW))
    evidence = owner.gather(asked, NOW)
    assert evidence is not None
    assert "ours" in english(evidence.exhibits[0].note)


def test_a_probe_remembers_between_readings_and_only_its_own() -> None:
    def counting(session: Session) -> Iterable[Measurement]:
        session.memory["seen"] = session.memory.get("seen", 0) + 1
        yield Measurement("value", float(session.memory["seen"]))

    server = FakeServer()
    owner = Owner(TARGET, server.engine)
    asked = [probe("a", counting), probe("b", counting), probe("c", counting, engine="host")]
    list(owner.round(asked, lambda: NOW))
    server.kept_fails = FailureKind.UNREACHABLE  # a new session does not forget
    again = list(owner.round([probe("z", ask), *asked], lambda: NOW))
    assert [reading.measurements[0].value for reading in again] == [2.0, 2.0, 2.0, 2.0]


def told(session: Session) -> Iterable[Measurement]:
    """How many probes of this round asked before, and how many of this login."""
    for shared in (session.shared.round, session.shared.login):
        shared["asked"] = shared.get("asked", 0) + 1
    yield Measurement("value", session.shared.round["asked"] + 100 * session.shared.login["asked"])


def test_what_the_probes_of_one_round_share_is_forgotten_with_the_round() -> None:
    owner = Owner(TARGET, FakeServer().engine)
    both = [probe("one", told), probe("two", told)]

    def values() -> list[float]:
        return [r.measurements[0].value for r in owner.round(both, lambda: NOW)]

    assert values() == [101, 202]
    assert values() == [301, 402]
    owner.drop()
    assert values() == [101, 202]  # a new login knows nothing of the old one


def test_a_round_that_is_not_taken_to_its_end_leaves_no_answer_behind() -> None:
    owner = Owner(TARGET, FakeServer().engine)
    both = [probe("one", told), probe("two", told)]
    left = owner.round(both, lambda: NOW)
    next(left)
    (again, _) = owner.round(both, lambda: NOW)
    assert again.measurements[0].value == 201


def test_evidence_shares_no_answer_with_the_round_it_is_taken_in() -> None:
    seen: list[int] = []

    def exhibits(session: Session) -> Iterable[Exhibit]:
        seen.append(session.shared.round.setdefault("asked", 0))
        return []

    owner = Owner(TARGET, FakeServer().engine)
    both = [probe("one", told, exhibits=exhibits), probe("two", told)]
    values = []
    for reading in owner.round(both, lambda: NOW):
        values.append(reading.measurements[0].value)
        owner.gather(both[0], NOW)
    assert values == [101, 202]
    assert seen == [0, 0]


def test_a_second_session_of_a_round_has_its_own_answers() -> None:
    def aside(session: Session) -> Iterable[Measurement]:
        session.shared.round["asked"] = 1
        with session.fresh() as other:
            yield Measurement("value", float(len(other.shared.round)))

    owner = Owner(TARGET, FakeServer().engine)
    (reading,) = owner.round([probe("aside", aside)], lambda: NOW)
    assert reading.measurements[0].value == 0
