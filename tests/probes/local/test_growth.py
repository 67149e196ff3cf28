"""Growth is reported after minutes, if it lasts, with the consumer that fills the volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import Target, Text
from probes.local.growth import (
    SIZES,
    Filling,
    Headroom,
    Use,
    fillings,
    measurements,
    room_on,
    speeds,
    table,
    watch,
)
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline
from tests.support.builders import a_target
from tests.support.evidence import told
from tests.support.words import both

MB = 1e6
WORDS = both("x", "x")


def use(consumer: str, size: float = 0.0, place: str = "data", ceiling: float | None = None) -> Use:
    return Use(consumer, size, place, both(f"si {consumer}", f"the {consumer}"), ceiling)


def watched(*sizes: float, every: float = 60.0) -> float | None:
    """The speed after these sizes, one a minute; None while unknown."""
    memory = Memory()
    for index, size in enumerate(sizes):
        watch(memory, 1000.0 + index * every, {"wal": size})
    return speeds(memory).get("wal")


def test_a_steady_growth_is_told_in_bytes_a_second() -> None:
    assert watched(*[index * 60 * MB for index in range(6)]) == pytest.approx(MB)


def test_a_minute_or_two_of_watching_tell_nothing() -> None:
    assert watched(0, 60 * MB, 120 * MB) is None


def test_one_large_write_that_is_over_fills_nothing_any_more() -> None:
    assert watched(0, 900 * MB, 900 * MB, 900 * MB, 900 * MB, 900 * MB) == 0


def test_what_was_removed_begins_the_watch_anew() -> None:
    assert watched(900 * MB, 960 * MB, 1020 * MB, 100 * MB, 160 * MB) is None
    assert watched(900 * MB, 100 * MB, 160 * MB, 220 * MB, 280 * MB, 340 * MB) == pytest.approx(MB)


def test_the_memory_of_consumers_is_bounded_and_forgets_the_gone() -> None:
    memory = Memory()
    for minute in range(300):
        watch(memory, minute * 60.0, {f"database:{n}": float(n) for n in range(300)})
    sizes = memory.of(SIZES, {})
    assert len(sizes) <= 100
    assert all(len(samples) <= 61 for samples in sizes.values())
    watch(memory, 300 * 60.0 + 4000, {"wal": 1.0})
    assert set(sizes) == {"wal"}


def test_the_fastest_on_a_volume_is_named_and_all_of_its_consumers_count() -> None:
    uses = [use("temp", 5 * MB), use("wal", 900 * MB, "wal"), use("database:simpeg", 50 * MB)]
    room = Headroom("/srv", 600 * MB)
    found = fillings(
        uses, {"temp": 1 * MB, "wal": 2 * MB, "database:simpeg": 0.0}, {"data": room, "wal": room}
    )
    (filling,) = found
    assert filling.seconds == pytest.approx(200)
    assert [each.consumer for each, _ in filling.speeds] == ["wal", "temp"]
    (title,) = [m for m in measurements(uses, {}, found) if m.measure == "filled_by_in_seconds"]
    assert title.subject == "/srv"
    assert title.detail["who"] == both("si wal", "the wal")


def test_two_volumes_are_two_findings() -> None:
    uses = [use("temp"), use("wal", place="wal")]
    rooms = {"data": Headroom("/", 100 * MB), "wal": Headroom("/wal", 50 * MB)}
    found = fillings(uses, {"temp": MB, "wal": MB}, rooms)
    assert {each.room.mount: each.seconds for each in found} == {"/": 100, "/wal": 50}


def test_wal_on_its_way_to_its_usual_size_is_no_filler() -> None:
    """After a quiet night WAL grows back to max_wal_size, and stops."""
    small = use("wal", 200 * MB, "wal", ceiling=1000 * MB)
    roomy, tight = Headroom("/wal", 5000 * MB), Headroom("/wal", 500 * MB)
    assert fillings([small], {"wal": MB}, {"wal": roomy}) == []
    assert len(fillings([small], {"wal": MB}, {"wal": tight})) == 1
    beyond = use("wal", 1100 * MB, "wal", ceiling=1000 * MB)
    assert len(fillings([beyond], {"wal": MB}, {"wal": roomy})) == 1


def test_evidence_lists_the_fastest_first_and_says_what_is_not_known_yet() -> None:
    shown = told(table([use("wal", 9 * MB), use("temp", 1 * MB)], {"temp": MB}))
    assert [row[0] for row in shown.rows] == ["temp", "wal"]
    assert "not known" in shown.rows[1][2]


def view(target: Target, paths: dict[str, str]) -> HostView:
    return HostView(target, paths, Memory())


def test_rooms_are_only_those_that_can_be_seen(tmp_path: Path) -> None:
    paths = {"data": str(tmp_path), "wal": str(tmp_path / "tidak-ada")}
    with deadline.within(5):
        rooms = room_on(view(a_target(host="db01"), paths), ("data", "wal", "log"))
        assert set(rooms) == {"data"}
        assert rooms["data"].free_bytes > 0
        assert room_on(view(a_target(), paths), ("data",)) == {}


def test_a_filling_without_words_still_has_a_title() -> None:
    filling = Filling(Headroom("/srv", MB), 10.0, ((use("wal"), MB),))
    (found,) = measurements([], {}, [filling])
    assert found.detail["more"] == Text("")
