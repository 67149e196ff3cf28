"""The reporter: findings wait in memory while the store is away, and none is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from agent.runtime.reporter import Reporter
from incidents.model import Change, Reported
from probes import Evidence, Finding, Severity
from tests.support.builders import NOON, a_finding
from tests.support.wait import until
from tests.support.words import both


class Away(Exception):
    """The store does not answer."""


class FakeDesk:
    """Takes findings, unless it is away or chokes on a target."""

    def __init__(self) -> None:
        self.told: list[Finding] = []
        self.away = False
        self.chokes_on = ""
        self.held = threading.Event()
        self.held.set()
        self.waits_for: set[str] = set()
        self.asked = 0
        self.number = ""  # of the incident that holds what changes nothing

    def awaited(self) -> frozenset[str]:
        if self.away:
            raise Away("the store is read-only")
        self.asked += 1
        return frozenset(self.waits_for)

    def report(self, finding: Finding, now: datetime) -> Reported:
        self.held.wait(30)
        if self.away:
            raise Away("the store is read-only")
        if finding.target == self.chokes_on:
            raise ValueError("boom")
        self.told.append(finding)
        if finding.opens:
            return Reported(Change.OPENED, "GDB-2026-0001")
        return Reported(Change.NOTHING, self.number)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def reporter(desk: FakeDesk) -> Iterator[Reporter]:
    made = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (Away,))
    made.start()
    yield made
    desk.away, desk.chokes_on = False, ""
    desk.held.set()
    made.stop(10)


@pytest.fixture
def awaiting(desk: FakeDesk) -> Iterator[Reporter]:
    """A reporter whose desk awaits some findings to clear."""
    names = ("simpeg", "first", *map(str, range(20)))
    desk.waits_for = {f"{name}/availability/up/" for name in names}
    made = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (Away,))
    made.start()
    yield made
    desk.held.set()
    made.stop(10)


def test_a_finding_reaches_the_desk(desk: FakeDesk, reporter: Reporter) -> None:
    reporter.put(a_finding())
    until("the finding told", lambda: len(desk.told) == 1)
    until("nothing waits", lambda: reporter.counts().pending == 0)


def test_while_the_store_is_away_the_newest_word_waits_and_is_told_later(
    desk: FakeDesk, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    desk.away = True
    for value in range(50):
        reporter.put(a_finding(value=float(value)))
    until("several attempts", lambda: reporter.counts().failed >= 2)
    assert reporter.counts().pending == 1
    assert not reporter.counts().store_up
    desk.away = False
    until("the finding told", lambda: desk.told)
    assert [finding.value for finding in desk.told] == [49.0]
    assert reporter.counts().store_up
    said = [record.message for record in caplog.records if "store" in record.message]
    assert len(said) == 2, said


def test_trouble_that_came_and_went_while_the_store_was_away_is_still_told(
    desk: FakeDesk, reporter: Reporter
) -> None:
    desk.away = True
    reporter.put(a_finding())
    until("an attempt", lambda: reporter.counts().failed >= 1)
    for _ in range(3):
        reporter.put(a_finding(severity=Severity.CLEAR))
    assert reporter.counts().pending == 2
    desk.away = False
    until("both words told", lambda: len(desk.told) == 2)
    assert [f.severity for f in desk.told] == [Severity.CRITICAL, Severity.CLEAR]


def test_trouble_goes_before_all_clear(desk: FakeDesk, awaiting: Reporter) -> None:
    reporter = awaiting
    desk.held.clear()
    reporter.put(a_finding(target="first", severity=Severity.CLEAR))
    for n in range(20):
        reporter.put(a_finding(target=str(n), severity=Severity.CLEAR))
    reporter.put(a_finding(target="burning"))
    desk.held.set()
    until("all told", lambda: len(desk.told) == 22)
    assert "burning" in [finding.target for finding in desk.told[:2]]


def test_a_finding_the_desk_chokes_on_does_not_stop_the_others(
    desk: FakeDesk, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    desk.chokes_on = "odd"
    reporter.put(a_finding(target="odd"))
    for n in range(5):
        reporter.put(a_finding(target=f"other-{n}"))
    until("the others told", lambda: len(desk.told) == 5)
    assert reporter.counts().pending == 1
    assert caplog.text.count("reporting finding odd/availability/up/ failed unexpectedly") == 1
    desk.chokes_on = ""
    until("the odd one told as well", lambda: len(desk.told) == 6, 40)


def test_putting_never_waits_for_the_store(desk: FakeDesk, reporter: Reporter) -> None:
    desk.held.clear()
    reporter.put(a_finding())
    started = time.monotonic()
    for n in range(1000):
        reporter.put(a_finding(target=f"t{n}"))
    assert time.monotonic() - started < 1.0


def clear(**changes: Any) -> Finding:
    return a_finding(severity=Severity.CLEAR, **changes)


def test_the_desk_hears_nothing_of_what_is_clear_and_was(
    desk: FakeDesk, reporter: Reporter
) -> None:
    until("the desk asked", lambda: desk.asked)
    for n in range(100):
        reporter.put(clear(target=f"t{n}", at=NOON + timedelta(hours=n)))
    assert reporter.counts().pending == 0
    assert desk.told == []


def test_an_all_clear_the_desk_awaits_is_told_once(desk: FakeDesk, awaiting: Reporter) -> None:
    reporter = awaiting
    reporter.put(clear())
    until("the all-clear told", lambda: len(desk.told) == 1)
    until("nothing waits", lambda: reporter.counts().pending == 0)
    reporter.put(clear(at=NOON + timedelta(hours=1)))
    assert reporter.counts().pending == 0


def test_an_all_clear_before_the_desk_was_asked_is_not_lost(desk: FakeDesk) -> None:
    desk.waits_for = {"simpeg/availability/up/"}
    reporter = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (Away,))
    reporter.put(clear())
    reporter.put(clear(target="other"))
    reporter.start()
    until("the awaited one told", lambda: len(desk.told) == 1)
    assert reporter.stop(5) == 0
    assert [finding.target for finding in desk.told] == ["simpeg"]


def test_trouble_that_stands_is_told_at_once_and_then_every_minute(
    desk: FakeDesk, reporter: Reporter
) -> None:
    def stands(seconds: int, **changes: Any) -> None:
        reporter.put(a_finding(at=NOON + timedelta(seconds=seconds), **changes))
        until("nothing waits", lambda: reporter.counts().pending == 0)

    stands(0)
    stands(15)
    assert len(desk.told) == 1
    stands(60)
    assert len(desk.told) == 2
    stands(75, severity=Severity.WARNING)
    stands(90, severity=Severity.WARNING, opens=False)
    assert [(f.severity, f.opens) for f in desk.told[2:]] == [
        (Severity.WARNING, True),
        (Severity.WARNING, False),
    ]


def test_newer_evidence_of_trouble_that_stands_is_told_at_once(
    desk: FakeDesk, reporter: Reporter
) -> None:
    for second, taken in ((0, 0), (15, 0), (30, 30), (45, 30)):
        evidence = Evidence(NOON + timedelta(seconds=taken), ())
        reporter.put(a_finding(at=NOON + timedelta(seconds=second), evidence=evidence))
        until("nothing waits", lambda: reporter.counts().pending == 0)
    assert [each.at - NOON for each in desk.told] == [timedelta(), timedelta(seconds=30)]


def test_a_warning_nobody_took_is_told_again_once_an_incident_has_opened(
    desk: FakeDesk, reporter: Reporter
) -> None:
    def stands(**changes: Any) -> None:
        reporter.put(a_finding(**changes))
        until("nothing waits", lambda: reporter.counts().pending == 0)

    warning = {"measure": "login_seconds", "severity": Severity.WARNING, "opens": False}
    stands(**warning)
    stands(**warning)
    stands()
    stands(**warning)
    stands(**warning)
    assert [f.measure for f in desk.told] == ["login_seconds", "up", "login_seconds"]


def test_trouble_that_was_told_is_told_when_it_is_over(desk: FakeDesk, reporter: Reporter) -> None:
    until("the desk asked", lambda: desk.asked)
    reporter.put(a_finding())
    until("the trouble told", lambda: len(desk.told) == 1)
    reporter.put(clear())
    until("the all-clear told", lambda: len(desk.told) == 2)


def warning(**changes: Any) -> Finding:
    """A finding that opens no incident."""
    title = both("simpeg lambat", "simpeg is slow")
    return a_finding(**{"severity": Severity.WARNING, "title": title, "opens": False} | changes)


def test_a_warning_is_in_the_log_once_when_it_is_raised_and_once_when_it_is_over(
    desk: FakeDesk, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sigap")
    until("the desk asked", lambda: desk.asked)
    later = NOON + timedelta(minutes=2)
    for finding in (warning(), warning(at=later), clear(at=later, since=later)):
        before = reporter.counts().told
        reporter.put(finding)
        until("it told", partial(told_since, reporter, before))
    reporter.put(clear(at=later, since=later))
    until("nothing waits", lambda: reporter.counts().pending == 0)
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", "warning: simpeg is slow"),
        ("INFO", "clear after 2 min: simpeg is slow"),
    ]


def told_since(reporter: Reporter, before: int) -> bool:
    return reporter.counts().told > before


def test_what_opens_an_incident_is_in_the_log_once(
    desk: FakeDesk, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sigap")
    reporter.put(warning(opens=True))
    until("it told", lambda: reporter.counts().told == 1)
    assert [each.message for each in caplog.records] == ["opened GDB-2026-0001: simpeg is slow"]


def test_what_an_incident_has_known_since_before_a_start_is_no_news(
    desk: FakeDesk, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sigap")
    desk.number = "GDB-2026-0001"
    reporter.put(warning())
    until("it told", lambda: reporter.counts().told == 1)
    assert caplog.records == []


def test_a_held_report_waits_for_its_second_half(desk: FakeDesk, reporter: Reporter) -> None:
    reporter.put(a_finding(value=1.0), 30.0)
    reporter.put(a_finding(target="other"))
    until("the other told", lambda: [f.target for f in desk.told] == ["other"])
    reporter.put(a_finding(value=2.0))
    until("the whole told", lambda: len(desk.told) == 2)
    assert desk.told[1].value == 2.0


def test_a_held_report_goes_alone_when_its_second_half_does_not_come(
    desk: FakeDesk, reporter: Reporter
) -> None:
    reporter.put(a_finding(), 0.2)
    until("the report told", lambda: len(desk.told) == 1)


def test_stopping_tells_what_waits_and_counts_what_it_could_not(desk: FakeDesk) -> None:
    reporter = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (Away,))
    for n in range(3):
        reporter.put(a_finding(target=f"t{n}"))
    reporter.start()
    assert reporter.stop(5) == 0 and len(desk.told) == 3
    desk.away = True
    second = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (Away,))
    second.put(a_finding())
    second.start()
    assert second.stop(5) == 1
