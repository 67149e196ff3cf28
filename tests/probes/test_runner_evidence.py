"""Evidence: taken in time, from one moment, and never delays the finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from probes import Down, Exhibit, FailureKind, ProbeError, Session
from probes.runner import LOCAL_EVIDENCE_SECONDS, Owner
from probes.wire import deadline
from tests.support.asking import ASKED, NOW, TARGET, a_server, ask, counted, probe
from tests.support.evidence import english
from tests.support.words import both


def test_evidence_that_cannot_be_taken_says_why() -> None:
    def hidden(session: Session) -> Iterable[Exhibit]:
        raise ProbeError(FailureKind.BLIND, "grant pg_monitor first")

    owner = Owner(TARGET, a_server().engine)
    asked = probe("a", ask, exhibits=hidden)
    list(owner.round([asked], lambda: NOW))
    evidence = owner.gather(asked, NOW)
    assert evidence is not None
    assert evidence.exhibits[0].note == "grant pg_monitor first"


def test_what_changed_lately_is_shown_with_every_probe_and_never_in_place_of_its_evidence() -> None:
    def locked(session: Session) -> Iterable[Exhibit]:
        raise ProbeError(FailureKind.BLIND, "no right to the log")

    def one(title: str) -> Exhibit:
        return Exhibit(both(title, title), (), ())

    asked, silent = probe("a", ask, exhibits=lambda session: [one("own")]), probe("b", ask)
    engine = replace(a_server().engine, lately=lambda session: [one("lately")])
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
        yield Exhibit(both("?", "?"), (), (), note=view.paths()["data"])

    server = a_server()
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


def test_a_short_deadline_leaves_time_to_look_at_a_server_from_outside() -> None:
    left: list[float] = []

    def when_down(view: Session, down: Down) -> Iterable[Exhibit]:
        left.append(deadline.remaining())
        return []

    server = a_server()
    server.login_fails = FailureKind.REFUSED
    owner = Owner(TARGET, server.engine, budget_seconds=0.2)
    asked = replace(probe("a", ask), exhibits_when_down=when_down)
    list(owner.round([asked], lambda: NOW))
    owner.gather(asked, NOW)
    assert 0.2 < left[0] <= LOCAL_EVIDENCE_SECONDS


def test_a_bug_in_what_is_shown_of_a_server_that_is_down_stops_no_finding() -> None:
    def broken(view: Session, down: Down) -> Iterable[Exhibit]:
        raise ZeroDivisionError("ours")

    server = a_server()
    server.login_fails = FailureKind.REFUSED
    owner = Owner(TARGET, server.engine)
    asked = replace(probe("a", ask), exhibits_when_down=broken)
    list(owner.round([asked], lambda: NOW))
    evidence = owner.gather(asked, NOW)
    assert evidence is not None
    assert "ours" in english(evidence.exhibits[0].note)


def test_evidence_shares_no_answer_with_the_round_it_is_taken_in() -> None:
    seen: list[int] = []

    def exhibits(session: Session) -> Iterable[Exhibit]:
        seen.append(session.shared.round.of(ASKED, 0))
        return []

    owner = Owner(TARGET, a_server().engine)
    both = [probe("one", counted, exhibits=exhibits), probe("two", counted)]
    values = []
    for reading in owner.round(both, lambda: NOW):
        values.append(reading.measurements[0].value)
        owner.gather(both[0], NOW)
    assert values == [101, 202]
    assert seen == [0, 0]
