"""Files that a command creates as root belong to the daemon's account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.state.files import make_folder, open_or_make, write_whole
from agent.state.folder import State
from agent.state.member_file import edit, read
from probes.fleet.members import MemberChange, Verb
from tests.support.accounts import give_away, said_by_ordinary_user
from tests.support.builders import NOON


def learned(name: str) -> MemberChange:
    return MemberChange("simpeg", Verb.LEARNED, "slot", name, NOON)


def owners(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_uid for each in folder.iterdir()}


def test_what_root_notes_the_daemon_can_note_on(open_folder: Path) -> None:
    file = open_folder / "members.json"
    give_away(open_folder)
    edit(file, [learned("s1")])
    assert set(owners(open_folder).values()) == {open_folder.stat().st_uid}
    if os.geteuid() == 0:
        assert said_by_ordinary_user(lambda: edit(file, [learned("s2")])) == "written"
        assert len(read(file).of("simpeg")) == 2


def test_a_first_run_as_root_leaves_its_folder_and_memory_to_the_owner_above(
    open_folder: Path,
) -> None:
    give_away(open_folder)
    state = State(open_folder / "of" / "sigap")
    state.start()
    state.keep("simpeg", {"volume_forecast": {"/srv": [1]}})
    state.notebook.note(learned("s1"))
    state.stop(10)
    found = owners(open_folder) | owners(open_folder / "of") | owners(open_folder / "of/sigap")
    assert {"of", "sigap", "members.json", "probe-memory.json"} <= set(found)
    assert set(found.values()) == {open_folder.stat().st_uid}
    assert (open_folder / "of/sigap").stat().st_mode & 0o777 == 0o700


def test_what_lies_in_the_way_is_neither_followed_nor_given_away(
    open_folder: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("old")
    owner = precious.stat().st_uid
    give_away(open_folder)
    for name in ("members.json.new", "members.json.lock"):
        (open_folder / name).symlink_to(precious)
    write_whole(open_folder / "members.json", "new")
    assert (open_folder / "members.json").read_text() == "new"
    with pytest.raises(OSError, match="symbolic"):
        open_or_make(open_folder / "members.json.lock")
    assert (precious.read_text(), precious.stat().st_uid) == ("old", owner)


def test_a_folder_that_is_there_keeps_its_owner(open_folder: Path) -> None:
    mine = open_folder / "mine"
    mine.mkdir()
    owner = mine.stat().st_uid
    give_away(open_folder)
    make_folder(mine)
    assert mine.stat().st_uid == owner
