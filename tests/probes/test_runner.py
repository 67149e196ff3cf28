"""The runner: failure is data, a hung server costs one budget, sessions are counted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from probes import FailureKind, Measurement, ProbeError, Session
from probes.model import KeptKey, MemoryKey
from probes.runner import MOST_SLOW, PATHS_SECONDS, Owner
from probes.words.failure_text import why
from tests.support.asking import ASKED, NOW, TARGET, a_server, ask, counted, probe
from tests.support.words import both


def test_a_reading_carries_its_measurements_or_its_failure_never_both() -> None:
    server = a_server()
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
    owner = Owner(TARGET, a_server().engine)
    (reading,) = owner.round(
        [probe("nan", lambda session: [Measurement("value", float("nan"))])], lambda: NOW
    )
    assert reading.failure is not None
    assert reading.failure.kind is FailureKind.BROKEN


def late(session: Session) -> Iterable[Measurement]:
    raise ProbeError(FailureKind.TIMEOUT, "no answer within the deadline")


def test_one_slow_question_is_blind_and_hides_no_other() -> None:
    server = a_server()
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
    server = a_server()
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
    owner = Owner(TARGET, a_server().engine)
    asked = [probe("alive", ask), *(probe(f"slow{n}", late) for n in range(MOST_SLOW + 2))]
    kinds = [
        reading.failure and reading.failure.kind for reading in owner.round(asked, lambda: NOW)
    ]
    assert kinds.count(FailureKind.BLIND) == MOST_SLOW
    assert kinds.count(FailureKind.TIMEOUT) == 2


def test_where_the_files_are_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    server = a_server()
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

    owner = Owner(TARGET, a_server().engine)
    broken, fine = owner.round([probe("bug", bug), probe("fine", ask)], lambda: NOW)
    assert broken.failure is not None
    assert "column that was renamed" in broken.failure.message
    assert fine.failure is None


def test_a_server_that_is_down_is_asked_once_per_round() -> None:
    server = a_server()
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
    server = a_server()
    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("a", ask)], lambda: NOW))
    server.kept_fails = FailureKind.UNREACHABLE
    (reading,) = owner.round([probe("a", ask)], lambda: NOW)
    assert reading.failure is None
    assert server.logins == 2
    assert server.open_sessions == owner.cost.sessions == 1


def test_a_further_session_that_is_refused_leaves_the_kept_one_in_use() -> None:
    server = a_server()

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
    assert why(reading.failure) == both(
        "tidak mendapat sesi tambahan (login failed)",
        "no further session was to be had (login failed)",
    )
    (again,) = owner.round([probe("kept", ask)], lambda: NOW)
    assert again.failure is None
    assert server.logins == 1


def test_a_timeout_is_not_tried_again_in_the_same_round() -> None:
    server = a_server()
    owner = Owner(TARGET, server.engine)
    list(owner.round([probe("a", ask)], lambda: NOW))
    server.kept_fails = FailureKind.TIMEOUT
    first, second = owner.round([probe("a", ask), probe("b", ask)], lambda: NOW)
    assert first.failure is not None
    assert first.failure.kind is FailureKind.TIMEOUT
    assert second.failure == first.failure
    assert server.open_sessions == owner.cost.sessions == 0


def test_volumes_of_a_dead_server_are_still_looked_at() -> None:
    server = a_server()
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
    server = a_server()
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


SEEN = MemoryKey[int]("how often it was asked")


def test_a_probe_remembers_between_readings_and_only_its_own() -> None:
    def counting(session: Session) -> Iterable[Measurement]:
        seen = session.memory.set(SEEN, (session.memory.get(SEEN) or 0) + 1)
        yield Measurement("value", float(seen))

    server = a_server()
    owner = Owner(TARGET, server.engine)
    asked = [probe("a", counting), probe("b", counting), probe("c", counting, engine="host")]
    list(owner.round(asked, lambda: NOW))
    server.kept_fails = FailureKind.UNREACHABLE  # a new session does not forget
    again = list(owner.round([probe("z", ask), *asked], lambda: NOW))
    assert [reading.measurements[0].value for reading in again] == [2.0, 2.0, 2.0, 2.0]


def test_what_the_probes_of_one_round_share_is_forgotten_with_the_round() -> None:
    owner = Owner(TARGET, a_server().engine)
    both = [probe("one", counted), probe("two", counted)]

    def values() -> list[float]:
        return [r.measurements[0].value for r in owner.round(both, lambda: NOW)]

    assert values() == [101, 202]
    assert values() == [301, 402]
    owner.drop()
    assert values() == [101, 202]  # a new login knows nothing of the old one


def test_a_round_that_is_not_taken_to_its_end_leaves_no_answer_behind() -> None:
    owner = Owner(TARGET, a_server().engine)
    both = [probe("one", counted), probe("two", counted)]
    left = owner.round(both, lambda: NOW)
    next(left)
    (again, _) = owner.round(both, lambda: NOW)
    assert again.measurements[0].value == 201


def test_a_second_session_of_a_round_has_its_own_answers() -> None:
    def aside(session: Session) -> Iterable[Measurement]:
        session.shared.round.set(ASKED, 1)
        with session.fresh() as other:
            yield Measurement("value", float(other.shared.round.of(ASKED, 0)))

    owner = Owner(TARGET, a_server().engine)
    (reading,) = owner.round([probe("aside", aside)], lambda: NOW)
    assert reading.measurements[0].value == 0


def test_what_a_probe_keeps_outlives_the_process_and_what_it_only_notes_does_not() -> None:
    kept, noted = KeptKey[float]("started", float), MemoryKey[float]("noted")

    def read(session: Session) -> Iterable[Measurement]:
        yield Measurement("value", session.memory.of(kept, 7.0) + session.memory.of(noted, 0.0))
        session.memory.set(noted, 100.0)

    before = Owner(TARGET, a_server().engine)
    list(before.round([probe("a", read)], lambda: NOW))
    assert before.kept == {"a": {"started": 7.0}}
    after = Owner(TARGET, a_server().engine)
    after.remember({"a": {"started": 40.0, "of a later version": [1]}})
    (reading,) = after.round([probe("a", read)], lambda: NOW)
    assert reading.measurements[0].value == 40.0
    assert after.kept == {"a": {"started": 40.0, "of a later version": [1]}}


@pytest.mark.parametrize("written", [{"started": "at noon"}, {"started": None}, [], "x"])
def test_what_was_kept_and_cannot_be_read_is_forgotten(written: Any) -> None:
    kept = KeptKey[float]("started", float)

    def read(session: Session) -> Iterable[Measurement]:
        yield Measurement("value", session.memory.of(kept, 7.0))

    owner = Owner(TARGET, a_server().engine)
    owner.remember({"a": written})
    (reading,) = owner.round([probe("a", read)], lambda: NOW)
    assert reading.measurements[0].value == 7.0
