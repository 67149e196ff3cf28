"""Set operations on transaction ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.mysql.replication import gtid_sets
from probes.mysql.replication.errant_transactions import errant
from probes.mysql.replication.heartbeat import Beat, Itself

A, B = "23739cbd-e6e5-11f1-b5bb-02fc00000001", "2d5ba2b8-e6e5-11f1-860d-02fc00000001"

INTERVALS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=8)


def members(intervals: gtid_sets.Intervals) -> set[int]:
    return {number for first, last in intervals for number in range(first, last + 1)}


def made(pairs: list[tuple[int, int]]) -> gtid_sets.Intervals:
    text = ":".join([A, *(f"{first}-{first + length}" for first, length in pairs)])
    return gtid_sets.parsed(text).get(A, ())


@given(INTERVALS, INTERVALS)
def test_subtraction_is_that_of_sets(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    these, those = made(one), made(two)
    assert members(gtid_sets.without(these, those)) == members(these) - members(those)
    assert gtid_sets.count(these) == len(members(these))


def test_a_set_of_several_servers_with_line_breaks_and_tags_is_read() -> None:
    text = f"{A}:1-5:7,\n{B.upper()}:1-3:cadangan:1-2:9"
    assert gtid_sets.parsed(text) == {
        A: ((1, 5), (7, 7)),
        B: ((1, 3),),
        f"{B}:cadangan": ((1, 2), (9, 9)),
    }
    assert gtid_sets.count(gtid_sets.of_server(text, B)) == 4


def test_received_and_not_applied_is_counted() -> None:
    assert gtid_sets.missing(f"{A}:1-22", f"{A}:1-20,{B}:1") == 2
    assert gtid_sets.missing("", f"{A}:1-20") == 0


def test_mariadbs_positions_are_compared_by_domain() -> None:
    received, applied = gtid_sets.domains("0-1-120,1-7-4"), gtid_sets.domains("0-2-100,1-7-4")
    assert gtid_sets.behind(received, applied) == 20


def test_what_is_cut_off_for_people_says_so() -> None:
    assert gtid_sets.written(A, ((1, 1), (3, 4))) == f"{A}:1:3-4"
    assert gtid_sets.written("x", ((1, 1), (3, 3), (5, 5), (7, 7))).endswith(":…")


# --- errant transactions --------------------------------------------------------------------

ME = Itself(2, B, f"{A}:1-22,{B}:1-3", None)


def test_on_mysql_only_what_the_primary_lacks_is_errant() -> None:
    row = Beat(1, A, 5.0, f"{A}:1-20,{B}:1-2")
    assert errant("mysql", ME, {}, [row], {}) == {B: ((3, 3),)}


def test_without_a_row_of_the_primary_what_was_there_before_is_not_blamed() -> None:
    assert errant("mysql", ME, {B: ((1, 3),)}, [], {}) == {}
    assert errant("mysql", ME, {B: ((1, 2),)}, [], {}) == {B: ((3, 3),)}


def test_its_own_row_from_when_it_was_primary_excuses_nothing() -> None:
    mine = Beat(2, B, 5.0, f"{A}:1-22,{B}:1-3")
    assert errant("mysql", ME, {B: ((1, 2),)}, [mine], {}) == {B: ((3, 3),)}


@pytest.mark.parametrize(
    ("state", "before", "position", "expected"),
    [
        ("0-1-12", {}, {0: 12}, {}),  # nothing of its own
        ("0-1-12,0-2-14", {}, {0: 12}, {"0-2": ((13, 14),)}),  # beyond the position
        ("0-1-200,0-2-100", {"0-2": ((1, 100),)}, {0: 200}, {}),  # it was primary once
        ("0-1-200,0-2-101", {"0-2": ((1, 100),)}, {0: 200}, {"0-2": ((101, 101),)}),  # passed by
    ],
)
def test_on_mariadb_numbers_beyond_the_position_or_new_since_are_errant(
    state: str,
    before: dict[str, gtid_sets.Intervals],
    position: dict[int, int],
    expected: dict[str, gtid_sets.Intervals],
) -> None:
    assert errant("mariadb", Itself(2, "", state, None), before, [], position) == expected


def test_on_mariadb_a_row_of_the_primary_decides() -> None:
    me = Itself(2, "", "0-1-200,0-2-101", None)
    had = Beat(1, "", 3.0, "0-1-199,0-2-100")
    assert errant("mariadb", me, {}, [had], {0: 200}) == {"0-2": ((101, 101),)}
    all_of_it = Beat(1, "", 3.0, "0-1-199,0-2-101")
    assert errant("mariadb", me, {}, [all_of_it], {0: 200}) == {}
