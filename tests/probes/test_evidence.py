"""Evidence has a maximum size and contains no secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Exhibit, Text
from probes.words.evidence import (
    LONGEST_CELL,
    MOST_CHARACTERS,
    MOST_COLUMNS,
    MOST_EXHIBITS,
    MOST_ROWS,
    bounded,
    labelled,
    redacted,
)
from tests.support.evidence import all_told, english
from tests.support.words import both

TITLE = both("Antrean", "Queue")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("host=db1 password=rahasia user=sigap", "host=db1 password=*** user=sigap"),
        ("password='two words' host=db1", "password=*** host=db1"),
        ("postgresql://sigap:rahasia@db1/postgres", "postgresql://sigap:***@db1/postgres"),
        ("CREATE USER a IDENTIFIED BY 'rahasia'", "CREATE USER a IDENTIFIED BY ***"),
        ("ALTER ROLE a PASSWORD 'rahasia' LOGIN", "ALTER ROLE a PASSWORD *** LOGIN"),
        ("MASTER_PASSWORD = 'x'", "MASTER_PASSWORD = ***"),
        ("UPDATE t SET nama = 'Budi' WHERE id = ?", "UPDATE t SET nama = ? WHERE id = ?"),
        ("server 'db1' does not answer", "server 'db1' does not answer"),
    ],
)  # fmt: skip
def test_passwords_and_the_literals_of_statements_are_taken_out(words: str, kept: str) -> None:
    assert redacted(words) == kept


def test_the_command_a_person_might_run_can_be_run_as_it_stands() -> None:
    command = "SELECT pg_terminate_backend(pid) FROM a WHERE started = '2026-11-23 10:00'"
    (small,) = bounded([Exhibit(TITLE, ("command", "statement"), ((command, command),))])
    assert small.rows == ((command, "SELECT pg_terminate_backend(pid) FROM a WHERE started = ?"),)


def test_what_is_too_much_is_cut_and_the_cut_is_said() -> None:
    wide = tuple(f"c{n}" for n in range(MOST_COLUMNS + 5))
    rows = tuple(tuple("x" * 2000 for _ in wide) for _ in range(MOST_ROWS + 30))
    (small,) = all_told(bounded([Exhibit(TITLE, wide, rows)]))
    assert len(small.columns) == MOST_COLUMNS
    assert all(len(cell) == LONGEST_CELL for row in small.rows for cell in row)
    assert f"{len(small.rows)} of {MOST_ROWS + 30} rows shown" in small.note
    assert f"{MOST_COLUMNS} of {MOST_COLUMNS + 5} columns shown" in small.note


def test_too_many_exhibits_are_cut_and_the_cut_is_said() -> None:
    found = bounded(Exhibit(TITLE, (), ()) for _ in range(MOST_EXHIBITS + 1))
    assert len(found) == MOST_EXHIBITS
    assert "left out" in english(found[-1].note)


def test_words_of_ours_are_bounded_and_redacted_in_both_languages() -> None:
    secret = both(
        "ditolak: password=rahasia " + "x" * 700, "refused: password=rahasia " + "x" * 700
    )
    (small,) = bounded([Exhibit(TITLE, ("state",), ((secret,),), secret)])
    (cell,) = small.rows[0]
    for words in (cell, small.note):
        assert isinstance(words, Text)
        assert (words.id[:23], words.en[:23]) == (
            "ditolak: password=*** x",
            "refused: password=*** x",
        )
    assert isinstance(cell, Text)
    assert (len(cell.id), len(cell.en)) == (LONGEST_CELL, LONGEST_CELL)


def test_both_languages_of_a_cell_take_room() -> None:
    wide = both("x" * LONGEST_CELL, "y" * LONGEST_CELL)
    rows = ((wide,) * MOST_COLUMNS,) * MOST_ROWS
    (small,) = bounded([Exhibit(TITLE, (), rows)])
    assert len(small.rows) == MOST_CHARACTERS // (2 * LONGEST_CELL * MOST_COLUMNS)


@given(
    st.lists(
        st.lists(st.text(max_size=900), min_size=1, max_size=40), max_size=120
    )
)  # fmt: skip
def test_evidence_is_never_larger_than_its_bound(rows: list[list[str]]) -> None:
    exhibits = [Exhibit(TITLE, (), tuple(tuple(row) for row in rows))] * 20
    kept = all_told(bounded(exhibits))
    total = sum(len(cell) for each in kept for row in each.rows for cell in row)
    assert total <= MOST_CHARACTERS
    assert all(len(each.rows) <= MOST_ROWS for each in kept)


def test_the_other_side_is_named_in_the_title() -> None:
    (named,) = labelled([Exhibit(TITLE, (), ())], "simpeg-primary")
    assert named.title == both("simpeg-primary: Antrean", "simpeg-primary: Queue")
