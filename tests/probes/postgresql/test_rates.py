"""A rate is known or absent, never guessed."""

from __future__ import annotations

from probes.model import Memory
from probes.postgresql.rates import growth


def test_the_first_reading_has_no_rate() -> None:
    assert growth(Memory(), 100.0, {"a": 5.0}) is None


def test_growth_is_counted_per_counter_and_second() -> None:
    memory = Memory()
    growth(memory, 100.0, {"a": 5.0, "b": 1.0})
    grown = growth(memory, 110.0, {"a": 25.0, "b": 1.0})
    assert grown is not None
    assert grown.by == {"a": 20.0, "b": 0.0}
    assert grown.per_second("a") == 2.0


def test_a_counter_that_fell_was_reset_and_tells_nothing() -> None:
    memory = Memory()
    growth(memory, 100.0, {"a": 5.0})
    assert growth(memory, 110.0, {"a": 1.0}) is None
    grown = growth(memory, 120.0, {"a": 2.0})
    assert grown is not None
    assert grown.by == {"a": 1.0}


def test_a_counter_that_is_gone_is_forgotten_and_a_new_one_counts_from_nothing() -> None:
    memory = Memory()
    growth(memory, 100.0, {"a": 5.0})
    grown = growth(memory, 110.0, {"b": 3.0})
    assert grown is not None
    assert grown.by == {"b": 3.0}


def test_no_time_passed_is_no_rate() -> None:
    memory = Memory()
    growth(memory, 100.0, {"a": 5.0})
    assert growth(memory, 100.0, {"a": 6.0}) is None
