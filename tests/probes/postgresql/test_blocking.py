"""The walk from waiters to root blockers; no server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.postgresql.locks.blocking import PREPARED, roots

NOBODY: frozenset[int] = frozenset()


def test_a_queue_on_one_row_has_its_holder_as_root_whatever_the_order_of_edges() -> None:
    found = roots({11: [10], 12: [11, 10], 13: [12, 11, 10], 14: [12, 13]}, NOBODY)
    assert found.victims == {10: 4}
    assert found.main == 10


def test_a_chain_ends_at_who_does_not_wait() -> None:
    assert roots({n: [n - 1] for n in range(2, 200)}, NOBODY).victims == {1: 198}


def test_the_root_with_most_victims_comes_first() -> None:
    found = roots({2: [1], 12: [11], 13: [11]}, NOBODY)
    assert list(found.victims.items()) == [(11, 2), (1, 1)]


def test_a_prepared_transaction_is_a_root_like_any_other() -> None:
    assert roots({2: [PREPARED], 3: [2, PREPARED]}, NOBODY).victims == {PREPARED: 2}


def test_a_ring_ends_and_names_one_of_itself() -> None:
    assert roots({1: [2], 2: [3], 3: [1], 4: [3]}, NOBODY).victims == {1: 3}


def test_a_root_that_waits_itself_beyond_the_cap_is_marked() -> None:
    found = roots({2: [1]}, frozenset({1, 7}))
    assert found.not_expanded == {1}


def test_nobody_waiting_has_no_root() -> None:
    assert roots({}, NOBODY).main is None


@given(
    st.dictionaries(
        st.integers(1, 30),
        st.lists(st.integers(0, 40), min_size=1, max_size=3),
        max_size=30,
    )
)
def test_every_waiter_ends_at_exactly_one_root(blockers: dict[int, list[int]]) -> None:
    found = roots(blockers, NOBODY)
    assert set(found.of) == set(blockers)
    assert sum(found.victims.values()) == sum(1 for w, r in found.of.items() if w != r)
    for waiter, root in found.of.items():
        assert root not in blockers or found.of[root] == root, waiter
