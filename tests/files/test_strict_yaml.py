"""Strict YAML: every problem at once, each with the file and line it stands on."""

from __future__ import annotations

from datetime import date

import pytest

from files.problems import Problems
from files.strict_yaml import Entry, read


def problems_of(entry: Entry) -> list[str]:
    return [str(problem) for problem in entry.problems.found]


def test_words_that_look_like_something_else_stay_words() -> None:
    entry = read("at: 16:00\nwanted: no\nday: 2026-07-02\n", "a.yaml", Problems())
    assert entry.value == {"at": "16:00", "wanted": "no", "day": "2026-07-02"}
    assert entry.day("day") == date(2026, 7, 2)


def test_every_problem_is_named_with_its_own_line_and_path() -> None:
    entry = read("steps:\n- title: 5\n  nubmer: one\n", "a.yaml", Problems())
    for step in entry.entries("steps"):
        step.only(("title", "number"))
        step.string("title")
        step.integer("number")
    assert problems_of(entry) == [
        "a.yaml:3: steps[0].nubmer: unknown key; did you mean 'number'?",
        "a.yaml:2: steps[0].title: expected a text",
        "a.yaml:2: steps[0].number: is missing",
    ]


def test_a_key_written_twice_names_both_lines() -> None:
    entry = read("a: {x: 1,\n  x: 2}\n", "a.yaml", Problems())
    problems = entry.problems.found
    assert [str(each) for each in problems] == ["a.yaml:2: a.x: is written twice (first in line 1)"]


@pytest.mark.parametrize("text", ["", "- a\n", "a: b: c", "\t", "[" * 5000])
def test_what_is_no_mapping_is_one_problem(text: str) -> None:
    problems = Problems()
    assert read(text, "a.yaml", problems).value == {}
    assert len(problems.found) == 1
    assert str(problems.found[0]).startswith("a.yaml")


def test_what_is_missing_in_a_missing_block_is_said_once() -> None:
    entry = read("name: x\n", "a.yaml", Problems())
    entry.entry("overall").integer("minutes")
    assert problems_of(entry) == ["a.yaml:1: overall: is missing"]


def test_a_file_nested_without_end_is_refused() -> None:
    problems = Problems()
    read("a: " + "[" * 60 + "]" * 60, "a.yaml", problems)
    assert "is nested too deeply" in str(problems.found[0])
