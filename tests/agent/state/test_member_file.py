"""Learned members survive the process, and two writers do not overwrite each other."""

from __future__ import annotations

import json
import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest

from agent.state.folder import State
from agent.state.member_file import Notebook, edit, read
from probes.fleet.members import MemberChange, Noted, Verb
from tests.support.builders import NOON

SLOT = ("slot", "s1")


def change(verb: Verb, name: str = "s1", minutes: int = 0, instead: str = "") -> MemberChange:
    return MemberChange("simpeg", verb, "slot", name, NOON + timedelta(minutes=minutes), instead)


def test_what_was_learned_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Notebook(tmp_path / "members.json")
    first.note(change(Verb.LEARNED), change(Verb.GONE, minutes=5))
    first.flush()
    second = Notebook(tmp_path / "members.json")
    assert second.of("simpeg") == {SLOT: Noted(NOON, NOON + timedelta(minutes=5))}


def test_a_member_that_is_back_is_not_gone_and_keeps_its_day(tmp_path: Path) -> None:
    book = Notebook(tmp_path / "members.json")
    book.note(change(Verb.LEARNED), change(Verb.GONE, minutes=5), change(Verb.BACK, minutes=6))
    assert book.of("simpeg") == {SLOT: Noted(NOON)}


def test_the_time_of_a_disappearance_is_the_first_one(tmp_path: Path) -> None:
    book = Notebook(None)
    book.note(change(Verb.LEARNED), change(Verb.GONE, minutes=5), change(Verb.GONE, minutes=9))
    assert book.of("simpeg")[SLOT].gone_since == NOON + timedelta(minutes=5)


def test_an_edit_from_outside_is_taken_over_and_does_not_undo_ours(tmp_path: Path) -> None:
    file = tmp_path / "members.json"
    book = Notebook(file)
    book.note(change(Verb.LEARNED), change(Verb.LEARNED, "s2"))
    book.flush()
    edit(file, [change(Verb.FORGOTTEN)])
    book.note(change(Verb.LEARNED, "s3"))
    book.flush()
    assert {name for _, name in book.of("simpeg")} == {"s2", "s3"}
    edit(file, [change(Verb.FORGOTTEN, "s2")])
    book.flush()
    assert {name for _, name in book.of("simpeg")} == {"s3"}
    assert read(file) == book.notes


def _learn(file: Path, first: int) -> None:
    for n in range(first, first + 25):
        edit(file, [change(Verb.LEARNED, f"s{n}")])


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "members.json"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_learn, args=(file, n)) for n in (0, 25, 50)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(read(file).of("simpeg")) == 75


def test_a_file_nobody_can_read_is_put_aside_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "members.json"
    file.write_text('{"version": 9}')
    assert Notebook(file).of("simpeg") == {}
    assert (tmp_path / "members.json.unreadable").read_text() == '{"version": 9}'
    assert "learning starts again" in caplog.text


def test_a_folder_that_cannot_be_used_costs_only_the_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    state = State(tmp_path / "file" / "state")
    state.notebook.note(change(Verb.LEARNED))
    state.notebook.flush()
    assert SLOT in state.notebook.of("simpeg")
    assert "learned members are lost at restart" in caplog.text


def test_what_probes_keep_is_there_after_a_restart_and_a_reload(tmp_path: Path) -> None:
    first = State(tmp_path)
    first.start()
    first.keep("simpeg", {"volume_forecast": {"/srv": [1, 2, 3]}})
    assert first.kept("simpeg") == {"volume_forecast": {"/srv": [1, 2, 3]}}
    first.stop(10)
    second = State(tmp_path)
    assert second.kept("simpeg") == {"volume_forecast": {"/srv": [1, 2, 3]}}
    assert json.loads((tmp_path / "probe-memory.json").read_text())["simpeg"]


def test_what_is_no_json_is_said_and_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = State(tmp_path)
    state.keep("simpeg", {"odd": {"set": {1, 2}}})
    assert state.kept("simpeg") == {}
    assert "is not valid JSON" in caplog.text
