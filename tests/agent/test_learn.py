"""``sigap learn`` shows the members of each target and edits them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from agent.cli import main
from agent.state.member_file import edit, read
from probes.fleet.members import MemberChange, Verb
from tests.support.agent import target_lines, write_config
from tests.support.builders import NOON, a_target

Learn = Callable[..., tuple[int, str, str]]


@pytest.fixture
def learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Learn:
    """Run ``sigap learn`` where slots s1 (there) and s2 (gone) and the role were learned."""
    expects = "{standbys: [r1]}"
    write_config(tmp_path, [target_lines(a_target(), expects=expects)], store="")
    edit(
        tmp_path / "members.json",
        [
            MemberChange("simpeg", Verb.LEARNED, "slot", "s1", NOON),
            MemberChange("simpeg", Verb.LEARNED, "slot", "s2", NOON),
            MemberChange("simpeg", Verb.GONE, "slot", "s2", NOON + timedelta(hours=1)),
            MemberChange("simpeg", Verb.LEARNED, "role", "replica", NOON),
            MemberChange("simpeg", Verb.GONE, "role", "replica", NOON, instead="primary"),
        ],
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIGAP_CONFIG", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    def run(*words: str, lang: str = "en") -> tuple[int, str, str]:
        code = main(["learn", *words, *(("--lang", lang) if lang else ())])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def members(folder: Path) -> set[tuple[str, str]]:
    return set(read(folder / "members.json").of("simpeg"))


def test_everything_that_belongs_is_listed_with_its_basis_and_state(learn: Learn) -> None:
    code, said, _ = learn()
    assert code == 0
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "simpeg standby/r1 declared - -" in lines
    assert "simpeg slot/s1 learned 2026-11-23 04:00 UTC there" in lines
    assert "simpeg slot/s2 learned 2026-11-23 04:00 UTC gone since 2026-11-23 05:00 UTC" in lines
    assert any("role/replica" in line and "primary instead since" in line for line in lines)


def test_the_list_comes_as_json_too(learn: Learn) -> None:
    _, said, _ = learn("simpeg", "--json")
    listed = json.loads(said)
    assert {(each["kind"], each["name"], each["basis"]) for each in listed} == {
        ("standby", "r1", "declared"),
        ("slot", "s1", "learned"),
        ("slot", "s2", "learned"),
        ("role", "replica", "learned"),
    }


def test_forgetting_takes_one_member_away(learn: Learn, tmp_path: Path) -> None:
    code, said, _ = learn("simpeg", "--forget", "slot/s2")
    assert (code, said.splitlines()[0]) == (0, "forgotten: slot/s2")
    assert members(tmp_path) == {("slot", "s1"), ("role", "replica")}


def test_accepting_forgets_what_is_missing_and_learns_what_came_instead(
    learn: Learn, tmp_path: Path
) -> None:
    learn("simpeg", "--accept")
    assert members(tmp_path) == {("slot", "s1"), ("role", "primary")}
    assert "nothing is changed" in learn("simpeg", "--accept")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("simpeg", "--forget", "slot/s3"), "'slot/s3' was not learned of simpeg"),
        (("simpeg", "--forget", "standby/r1"), "is declared in agent.yaml"),
        (("simpg",), "did you mean 'simpeg'?"),
        (("--accept",), "say of which target"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(
    learn: Learn, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    before = members(tmp_path)
    code, _, said = learn(*words)
    assert code != 0
    assert sentence in said
    assert said.count("\n") == 1
    assert members(tmp_path) == before


def test_where_nothing_was_learned_yet_it_says_how_long_learning_takes(
    learn: Learn, tmp_path: Path
) -> None:
    (tmp_path / "members.json").unlink()
    lines = target_lines(a_target())
    write_config(tmp_path, [lines], store="")
    code, said, _ = learn()
    assert code == 0
    assert "in 5 readings and for 10 min" in said


def test_it_speaks_the_configured_language_unless_another_is_asked_for(learn: Learn) -> None:
    _, said, _ = learn(lang="")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == "TARGET ANGGOTA DASAR SEJAK KINI"
    assert "simpeg standby/r1 dinyatakan - -" in lines
    assert "simpeg slot/s1 dipelajari 2026-11-23 04:00 UTC ada" in lines
    assert (
        "simpeg slot/s2 dipelajari 2026-11-23 04:00 UTC hilang sejak 2026-11-23 05:00 UTC" in lines
    )
    assert any("primary sejak" in line for line in lines)
    assert "maksud Anda 'simpeg'?" in learn("simpg", lang="")[2]
    assert "tidak pernah dipelajari dari simpeg" in learn("simpeg", "--forget", "x", lang="id")[2]
    assert learn("simpeg", "--forget", "slot/s2", lang="")[1].startswith("dilupakan: slot/s2")
    assert learn("simpeg", "--accept", lang="")[1].startswith("dilupakan: role/replica")
    assert "tidak ada yang diubah" in learn("simpeg", "--accept", lang="")[1]
