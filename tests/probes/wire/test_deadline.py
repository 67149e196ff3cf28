"""The deadline: nested bounds, and a resolver that never answers."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from probes import FailureKind, ProbeError
from probes.wire import deadline
from probes.words import failure_text


def test_of_nested_bounds_the_earlier_one_wins() -> None:
    with deadline.within(10):
        with deadline.within(100):
            assert deadline.remaining() <= 10
        with deadline.within(1):
            assert deadline.remaining() <= 1
        assert deadline.remaining() > 5


def test_no_time_left_is_a_timeout_with_a_next_move() -> None:
    with deadline.within(0), pytest.raises(ProbeError) as caught:
        deadline.remaining()
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert caught.value.failure.hint.id


def test_a_call_without_a_bound_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        deadline.remaining()


def test_a_deadline_belongs_to_its_own_thread() -> None:
    seen: list[float | None] = []
    with deadline.within(5):
        thread = threading.Thread(target=lambda: seen.append(deadline.at()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_an_address_needs_no_resolver() -> None:
    with deadline.within(1):
        assert deadline.resolve("127.0.0.1") == ["127.0.0.1"]
        assert deadline.resolve("::1") == ["::1"]


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with deadline.within(5), pytest.raises(ProbeError) as caught:
        deadline.resolve("no-such-server.invalid")
    assert caught.value.failure.kind is FailureKind.UNREACHABLE


class _Resolver:
    """Answers of a resolver and a clock, both set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = 0
        self.now = 1000.0
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)
        monkeypatch.setattr(deadline, "time", self)

    def monotonic(self) -> float:
        return self.now

    def after(self, seconds: float, error: int) -> list[str]:
        self.now += seconds
        self.error = error
        with deadline.within(5):
            return deadline.resolve("moved.invalid")

    def _answer(self, *_: Any, **__: Any) -> Any:
        if self.error:
            raise socket.gaierror(self.error, "as the resolver puts it")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.8", 0))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> _Resolver:
    for kept in (deadline._known, deadline._denied_since):
        monkeypatch.delitem(kept, "moved.invalid", raising=False)
    return _Resolver(monkeypatch)


def test_a_name_that_no_longer_resolves_is_told_after_the_grace(resolver: _Resolver) -> None:
    assert resolver.after(0, 0) == ["192.0.2.8"]
    assert resolver.after(61, socket.EAI_NONAME) == ["192.0.2.8"]
    assert resolver.after(59, socket.EAI_NONAME) == ["192.0.2.8"]
    with pytest.raises(ProbeError) as caught:
        resolver.after(1, socket.EAI_NONAME)
    failure = caught.value.failure
    assert failure.kind is FailureKind.UNREACHABLE
    assert "moved.invalid no longer resolves" in failure_text.words(failure).en
    assert "192.0.2.8" in failure.hint.en
    assert "192.0.2.8" in failure.hint.id
    assert resolver.after(1, 0) == ["192.0.2.8"]
    assert resolver.after(61, socket.EAI_NONAME) == ["192.0.2.8"]  # the grace begins anew


def test_a_resolver_that_does_not_answer_leaves_the_last_address(resolver: _Resolver) -> None:
    assert resolver.after(0, 0) == ["192.0.2.8"]
    for _ in range(5):
        assert resolver.after(600, socket.EAI_AGAIN) == ["192.0.2.8"]
    assert resolver.after(600, socket.EAI_NONAME) == ["192.0.2.8"]
    assert resolver.after(600, socket.EAI_AGAIN) == ["192.0.2.8"]


def test_a_silent_resolver_costs_the_deadline_and_one_thread_however_often_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    def silent(*_: Any, **__: Any) -> Any:
        release.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    before = threading.active_count()
    for _ in range(20):
        started = time.monotonic()
        with deadline.within(0.05), pytest.raises(ProbeError) as caught:
            deadline.resolve("silent.invalid")
        assert caught.value.failure.kind is FailureKind.TIMEOUT
        assert time.monotonic() - started < 2
    assert threading.active_count() == before + 1
    release.set()
    with deadline.within(10):
        assert deadline.resolve("silent.invalid") == ["192.0.2.7"]


def test_each_wait_gets_its_own_time_and_the_smaller_bound_wins() -> None:
    with deadline.each_wait(5.0):
        with deadline.each_wait(60.0):
            assert _left() == pytest.approx(5.0, abs=0.5)
        with deadline.each_wait(1.0):
            assert _left() == pytest.approx(1.0, abs=0.5)
        with deadline.within(0.2):
            assert _left() == pytest.approx(0.2, abs=0.15)
        assert deadline.at() is None  # the whole may take as long as it likes
    assert deadline.of_this_wait() is None


def _left() -> float:
    limit = deadline.of_this_wait()
    assert limit is not None
    return limit - time.monotonic()
