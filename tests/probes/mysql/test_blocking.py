"""The walk to the root blockers: correct, finite and deterministic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probes.mysql.locks.blocked_sessions import advice, cause, drawn
from probes.mysql.locks.blocking import UNSEEN, Edge, Node, Picture, roots, tree
from tests.support.evidence import told


def holder(key: str) -> Node:
    return Node(key, int(key), "app", "10.0.0.9:4000", command="Sleep", transaction_seconds=95)


def waiter(key: str, seconds: float, table: str = "") -> Node:
    return Node(key, int(key), "app", waiting_seconds=seconds, waits_for="row", table=table)


def picture(nodes: list[Node], edges: list[Edge], waiting: int | None = None) -> Picture:
    waits = [node.waiting_seconds for node in nodes if node.waiting_seconds is not None]
    found = {node.key: node for node in nodes}
    return Picture(found, tuple(edges), waiting or len(waits), max(waits, default=0.0))


def test_nobody_waiting_has_no_root() -> None:
    assert roots(picture([], [])) == []


def test_the_root_of_a_chain_is_its_far_end_with_all_as_victims() -> None:
    nodes = [holder("1"), waiter("2", 40, "app.a"), waiter("3", 30), waiter("4", 20)]
    edges = [Edge("4", "3"), Edge("3", "2"), Edge("2", "1")]
    (root,) = roots(picture(nodes, edges))
    assert (root.node.key, root.victims, root.longest_seconds) == ("1", 3, 40)
    assert root.table == "app.a"
    assert not root.suspected
    assert [(depth, node.key) for depth, node, _ in tree(picture(nodes, edges))] == [
        (0, "1"), (1, "2"), (2, "3"), (3, "4"),
    ]  # fmt: skip


def test_a_queue_on_one_row_is_one_root_and_a_flat_list() -> None:
    nodes = [holder("1"), *(waiter(str(n), 100 - n) for n in range(2, 52))]
    edges = [Edge(str(n), str(m)) for n in range(2, 52) for m in (1, n - 1)]
    (root,) = roots(picture(nodes, edges))
    assert (root.node.key, root.victims) == ("1", 50)
    assert max(depth for depth, _, _ in tree(picture(nodes, edges))) == 1


def test_two_holders_are_two_roots_the_heavier_first() -> None:
    nodes = [holder("1"), holder("2"), waiter("3", 5), waiter("4", 50), waiter("5", 1)]
    edges = [Edge("3", "1"), Edge("4", "2"), Edge("5", "2")]
    assert [(r.node.key, r.victims) for r in roots(picture(nodes, edges))] == [("2", 2), ("1", 1)]


def test_a_circle_ends_the_walk() -> None:
    nodes = [waiter("1", 3), waiter("2", 2), waiter("3", 1)]
    edges = [Edge("1", "2"), Edge("2", "1"), Edge("3", "1")]
    found = roots(picture(nodes, edges))
    assert found[0].node.key == "1"
    assert len(list(tree(picture(nodes, edges)))) == 3


def test_a_suspicion_stays_one_up_to_the_root_unless_a_sure_way_leads_there() -> None:
    nodes = [holder("1"), waiter("2", 9), waiter("3", 8)]
    guess = [Edge("2", "1", suspected=True), Edge("3", "2")]
    assert all(root.suspected for root in roots(picture(nodes, guess)))
    sure = [*guess, Edge("3", "1"), Edge("2", "1")]
    assert not any(root.suspected for root in roots(picture(nodes, sure)))


def test_an_unseen_blocker_is_said_to_be_unseen() -> None:
    found = picture([Node(UNSEEN), waiter("2", 9)], [Edge("2", UNSEEN, suspected=True)])
    assert cause(roots(found)[0], 0).id.count("tidak terlihat") == 1
    assert cause(roots(found)[0], 0).en == (
        "; suspected: a session that cannot be seen (LOCK TABLES, FLUSH TABLES or a backup)"
        " holds 1 of them"
    )
    assert "None" not in cause(roots(found)[0], 0).id


def test_a_named_blocker_is_to_be_reached_and_an_unnamed_one_to_be_found() -> None:
    (sure,) = roots(picture([holder("1"), waiter("2", 9)], [Edge("2", "1")]))
    assert advice(sure, "mariadb").en == (
        "Reach the owner of the blocking session. If agreed, a person runs: `KILL 1`; do not kill "
        "those that wait."
    )
    (unseen,) = roots(picture([waiter("2", 9)], [Edge("2", UNSEEN, suspected=True)]))
    for root in (unseen, None):  # None: gone by the time it was looked up
        find = advice(root, "mariadb")
        assert "Reach the owner" not in find.en
        assert "Hubungi pemilik" not in find.id
        assert "KILL" not in find.en
        for words in (find.id, find.en):
            assert "`INSTALL SONAME 'metadata_lock_info'`" in words
        assert "slept longest" in find.en
        assert "paling lama tidur" in find.id
    assert "performance_schema = ON" in advice(unseen, "mysql").en


def test_a_suspect_is_to_be_made_sure_of_before_anybody_ends_it() -> None:
    (suspect,) = roots(picture([holder("1"), waiter("2", 9)], [Edge("2", "1", suspected=True)]))
    said = advice(suspect, "mariadb")
    assert said.en.startswith("That session 1 (app@10.0.0.9:4000) holds them is only suspected")
    assert said.id.startswith("sesi 1 (app@10.0.0.9:4000) hanya diduga menahan")
    for words in (said.id, said.en):
        assert "`INSTALL SONAME 'metadata_lock_info'`" in words
        assert words.index("INSTALL") < words.index("`KILL 1`")


def test_what_was_cut_off_is_said() -> None:
    nodes = [holder("1"), waiter("2", 9)]
    assert told(drawn(picture(nodes, [Edge("2", "1")], waiting=812))).note == (
        "truncated to 1 of 812 waiters"
    )


def test_only_the_root_gets_a_command() -> None:
    table = drawn(picture([holder("1"), waiter("2", 9)], [Edge("2", "1")]))
    assert [row[-1] for row in table.rows] == ["KILL 1", ""]


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12), st.booleans()), max_size=40),
    st.sets(st.integers(1, 12)),
)
def test_any_picture_ends_and_counts_each_waiter_once_under_a_root(
    pairs: list[tuple[int, int, bool]], waiting: set[int]
) -> None:
    nodes = [waiter(str(n), n) if n in waiting else holder(str(n)) for n in range(1, 13)]
    found = picture(nodes, [Edge(str(a), str(b), unsure) for a, b, unsure in pairs])
    for root in roots(found):
        assert 1 <= root.victims <= len(waiting)
        assert root.longest_seconds <= max(waiting)
    drawn_keys = [node.key for _, node, _ in tree(found)]
    assert len(drawn_keys) == len(set(drawn_keys))
    assert {str(n) for n in waiting} <= set(drawn_keys)
    assert roots(found) == roots(found)
