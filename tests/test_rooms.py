"""The import picture, checked on planted trees with one fault each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import house
from tools import rooms


def planted(folder: Path, files: Mapping[str, str]) -> Path:
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(folder).parents:
            if package != Path():
                (folder / package / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    return folder


def test_boxes_are_modules_and_folders_and_an_arrow_counts_once(tmp_path: Path) -> None:
    root = planted(
        tmp_path,
        {
            "agent/a.py": "import agent.room.one, agent.b",
            "agent/b.py": "def late():\n    from agent.room import two",
            "agent/room/one.py": "from agent.room import two",
            "agent/room/two.py": "",
        },
    )
    found = {room.name: room for room in rooms.rooms(house.read(root))}
    assert found["agent"].boxes == ("a", "b", "room")
    assert found["agent"].arrows == {("a", "room"), ("a", "b"), ("b", "room")}
    assert found["agent.room"].arrows == {("one", "two")}
    assert rooms.circular(found.values()) == []


def test_folders_that_import_each_other_are_found_where_no_module_leads_back(
    tmp_path: Path,
) -> None:
    files = {
        "agent/x/a.py": "import agent.y.a",
        "agent/y/a.py": "",
        "agent/y/b.py": "import agent.x.b",
        "agent/x/b.py": "",
    }
    tree = house.read(planted(tmp_path, files))
    assert house.cycles(tree) == []
    assert rooms.circular(rooms.rooms(tree)) == ["agent: x -> y -> x"]


def test_a_crowded_room_is_found(tmp_path: Path) -> None:
    files = {f"probes/host/p{number}.py": "" for number in range(rooms.MOST_BOXES)}
    root = planted(tmp_path, files)
    assert rooms.crowded(rooms.rooms(house.read(root))) == []
    planted(tmp_path, {"probes/host/further.py": ""})
    assert rooms.crowded(rooms.rooms(house.read(root))) == ["probes.host: 15 boxes"]


@pytest.mark.parametrize(("lines", "found"), [(250, 0), (251, 1)])
def test_a_long_class_is_found(tmp_path: Path, lines: int, found: int) -> None:
    source = "class A:\n" + "    x = 1\n" * (lines - 1)
    assert len(rooms.long_classes(planted(tmp_path, {"agent/a.py": source}))) == found


@pytest.mark.parametrize(("lines", "found"), [(60, 0), (61, 1)])
def test_a_long_function_is_found_wherever_it_is_nested(
    tmp_path: Path, lines: int, found: int
) -> None:
    source = "class A:\n    async def f():\n" + "        x = 1\n" * (lines - 1)
    assert len(rooms.long_functions(planted(tmp_path, {"agent/a.py": source}))) == found


def test_a_class_name_with_two_meanings_is_found_and_a_private_one_is_not(tmp_path: Path) -> None:
    files = {
        "agent/a.py": "class A: ...\nclass _B: ...",
        "probes/b.py": "class A: ...\nclass _B: ...",
    }
    found = rooms.defined_twice(planted(tmp_path, files))
    assert found == {"A": ["probes/b.py:1", "agent/a.py:1"]}


def test_the_picture_names_every_room_and_every_rule(tmp_path: Path) -> None:
    lines = list(rooms.report(planted(tmp_path, {"agent/a.py": "", "probes/model.py": ""})))
    assert [line.split() for line in lines[1:3]] == [
        ["agent", "1", "0", "0"],
        ["probes", "1", "0", "0"],
    ]
    assert [line for line in lines[3:] if not line.endswith(": 0")] == []
