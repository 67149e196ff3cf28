"""A probe's own texts in evidence are in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_words import english_only

ROOT = Path(__file__).resolve().parents[1]


def test_no_probe_puts_words_of_ours_into_evidence_in_english_only() -> None:
    found = {
        str(file.relative_to(ROOT)): wrong
        for room in ("agent", "probes")
        for file in sorted((ROOT / room).rglob("*.py"))
        if (wrong := english_only(file.read_text(encoding="utf-8")))
    }
    assert found == {}, "make it a Text; a server's own words come from the server"


IN_A_TABLE = "def exhibits(session: Session) -> Iterator[Exhibit]:\n    "


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('yield Exhibit(T, ("pid",), rows, "the oldest 20")', "the oldest 20"),
        ('yield Exhibit(T, ("pid",), rows, note=f"the oldest {MOST}")', "the oldest "),
        ('yield Exhibit(T, ("pid",), rows, note="" if rows else "none")', "none"),
        ('notes.append("the binary log is off")', "the binary log is off"),
        ('rows = [("7", "idle" if row["idle"] else row["state"])]', "idle"),
        ('facts = ("-", "-", "does not answer")', "does not answer"),
        ('rows = [{**row, "state": "rolled back"} for row in found]', "rolled back"),
        ('yield Exhibit(T, COLUMNS, ((str(pid), f"{seconds:.1f} s"),))', " s"),
        ('rows = [(str(pid), written(size, "bytes").en)]', "written(size, 'bytes').en in english"),
        ("rows = [_line(row) for row in found]\ndef _line(row: Row) -> Row:\n"
         '    return {"state": "paused by a person"}', "paused by a person"),
    ],
)  # fmt: skip
def test_words_in_english_only_are_found(source: str, words: str) -> None:
    assert [each.partition(": ")[2] for each in english_only(IN_A_TABLE + source)] == [words]


@pytest.mark.parametrize(
    "source",
    [
        'yield Exhibit(T, ("pid", "blocked by"), rows, Text("the oldest 20"))',
        'rows = [(str(row["pid"]), _IDLE if row["state"] == "idle" else str(row["state"]))]',
        'columns = ("user", "host", "state")',
        'rows = session.rows("select pid from pg_stat_activity where state = \'idle\'")',
        "rows = [(f\"PID {pid}\", f\"SELECT pg_cancel_backend({pid})\", \"ok\")]",
    ],
)  # fmt: skip
def test_a_servers_words_names_and_commands_are_left_alone(source: str) -> None:
    assert english_only(IN_A_TABLE + source) == []


def test_a_phrase_that_a_query_writes_is_found() -> None:
    query = "ASK = \"select 'the server was started' as what, 'f' as kind from t where s = 'a b'\""
    assert english_only(query) == ["line 1: the server was started"]
