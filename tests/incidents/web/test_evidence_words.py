"""Evidence on the pages: heads, notes and plain words in the reader's language, nothing lost."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.web import phrases
from incidents.web.columns import column
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain
from tests.incidents.web.world import World

ROOT = Path(__file__).resolve().parents[3]
SAME_IN_BOTH = {
    "pid", "session", "host", "data", "name", "volume", "mode", "status", "xid", "IO", "SQL",
    "gid", "GTID", "lock", "port",
}  # fmt: skip


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "probes").rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def written(node: ast.expr) -> str:
    """A literal as a reader might get it: what is filled in becomes a figure."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "7"
            for part in node.values
        )
    return ""


def notes(tree: ast.Module) -> Iterator[str]:
    """What this module puts under a table."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = [word.value for word in node.keywords if word.arg == "note"]
        if called in ("notes.append", "_noted"):
            given += node.args[-1:]
        for value in given:
            choices = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            yield from (said for said in map(written, choices) if said)


def test_every_note_of_a_probe_has_its_indonesian_words() -> None:
    said = {(where, each) for where, tree in modules() for each in notes(tree)}
    assert len(said) > 20
    left = [
        (where, part)
        for where, each in sorted(said)
        for part in [phrases.note(each, "id")]
        if re.search(r"\b(the|of|could|not|nothing|none|who|which|this)\b", part)
        or (part == each and re.search(r"[a-z]{3}", part))
    ]
    assert left == []


def test_every_column_a_probe_names_has_its_indonesian_words() -> None:
    heads = {
        (where, name.value)
        for where, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Exhibit"
        if len(node.args) > 1 and isinstance(node.args[1], ast.Tuple)
        for name in node.args[1].elts
        if isinstance(name, ast.Constant) and isinstance(name.value, str)
    }
    assert len(heads) > 50
    missing = [
        each for each in sorted(heads)
        if column(each[1], "id") == each[1] and each[1] not in SAME_IN_BOTH
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("truncated to 3 of 13 waiters", "dipotong menjadi 3 dari 13 yang menunggu"),
        (
            "no process of the server: none called mariadbd runs; nothing listens on port 3306",
            "tidak ada proses server: tidak satu pun bernama mariadbd berjalan; "
            "tidak ada yang mendengarkan di port 3306",
        ),
        ("permission denied for table x", "permission denied for table x"),
    ],
)
def test_a_note_is_said_part_by_part_and_a_servers_words_stay(words: str, expected: str) -> None:
    assert phrases.note(words, "id") == expected
    assert phrases.note(words, "en") == words


def test_cells_of_ours_are_said_in_indonesian(world: World, signed_in: SignedIn) -> None:
    assert phrases.cell("not since Sigap started", "id") == "belum sejak Sigap berjalan"
    assert phrases.cell("working: UPDATE pegawai", "id") == "sedang bekerja: UPDATE pegawai"
    assert phrases.cell("client backend", "id") == "client backend"
    number = world.open_incident()
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "dipotong menjadi 3 dari 13 yang menunggu" in page
    assert "truncated" not in page


def test_every_cell_with_words_here_is_still_one_a_probe_writes() -> None:
    source = "".join(ast.unparse(tree) for _, tree in modules())
    assert [words for words in phrases.CELLS if words not in source] == []


@pytest.mark.parametrize(
    ("english", "indonesian"),
    [
        ("1.2 GB", "1,2 GB"),
        ("1,234 B", "1.234 B"),
        ("12.5 %", "12,5 %"),
        ("0.25 s", "0,25 dtk"),
        ("3 h 5 min", "3 jam 5 mnt"),
        ("15.18", "15.18"),  # a version as likely as a figure
        ("0/3000148", "0/3000148"),
        ("yes", "ya"),
    ],
)
def test_a_figure_with_its_unit_is_written_as_the_reader_writes_figures(
    english: str, indonesian: str
) -> None:
    assert phrases.cell(english, "id") == indonesian
    assert phrases.cell(english, "en") == english
