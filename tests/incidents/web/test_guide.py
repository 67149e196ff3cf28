"""Advice: steps are a list, and a command can be copied without the text around it."""

from __future__ import annotations

import pytest

from incidents.web.display.advice import Piece, guide
from probes import registry


def told(text: str) -> list[list[tuple[str, str]]]:
    return [[(piece.kind, piece.text) for piece in step] for step in guide(text).steps]


@pytest.mark.parametrize("mark", [".", ")"])
def test_numbered_steps_are_told_apart(mark: str) -> None:
    found = guide(f"1{mark} Look. 2{mark} Call 112 or 911. 3{mark} Wait 5 s.")
    assert found.numbered
    assert [step[0].text for step in found.steps] == ["Look.", "Call 112 or 911.", "Wait 5 s."]


def test_a_figure_at_the_end_of_a_sentence_is_no_step() -> None:
    assert told("1. top and `iostat -x 5`. 2. Wait for 5. 3. Done.")[1:] == [
        [("words", "Wait for 5.")],
        [("words", "Done.")],
    ]


def test_a_text_without_numbers_is_one_paragraph() -> None:
    found = guide("Look at 1. the log.")
    assert not found.numbered
    assert found.steps == ((Piece("words", "Look at 1. the log."),),)
    assert guide("").steps == ()


def test_a_command_that_ends_a_sentence_stands_by_itself_and_the_rest_goes_on() -> None:
    assert told("If agreed, a person runs: `KILL 5`; do not kill those that wait.") == [
        [
            ("words", "If agreed, a person runs: "),
            ("command", "KILL 5"),
            ("words", "Do not kill those that wait."),
        ]
    ]


def test_a_command_within_a_sentence_stays_in_it() -> None:
    assert told("Check NTP (`chronyc tracking`); read `dmesg`, too.") == [
        [
            ("words", "Check NTP ("),
            ("code", "chronyc tracking"),
            ("words", "); read "),
            ("code", "dmesg"),
            ("words", ", too."),
        ]
    ]


def test_the_lines_that_mend_a_missing_right_can_be_copied_one_by_one() -> None:
    assert told("GRANT PROCESS ON *.* TO 'sigap'@'localhost';\nGRANT SELECT ON sys.* TO 'x';") == [
        [
            ("command", "GRANT PROCESS ON *.* TO 'sigap'@'localhost';"),
            ("command", "GRANT SELECT ON sys.* TO 'x';"),
        ]
    ]


def test_a_command_nobody_filled_in_leaves_no_empty_box() -> None:
    assert told("A person runs: ``.") == [[("words", "A person runs: "), ("words", ".")]]


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
@pytest.mark.parametrize("language", ["id", "en"])
def test_every_runbook_is_a_list_of_steps(engine: str, language: str) -> None:
    for probe in registry.probes_for(engine):
        found = guide(probe.runbook.said_in(language))
        assert found.numbered, probe.name
        other = guide(probe.runbook.said_in("en"))
        assert len(found.steps) == len(other.steps), probe.name
