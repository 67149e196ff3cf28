"""Runbooks: every alert has one, with steps and commands to copy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from agent.cli import _parser

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "runbooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


@pytest.mark.parametrize("name", SECTIONS)
def test_each_runbook_is_a_list_of_steps(name: str) -> None:
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", SECTIONS[name], re.M)]
    assert steps == list(range(1, len(steps) + 1)) != []


def test_every_command_of_ours_is_one_that_can_be_run() -> None:
    commands = re.findall(r"^\s*(sigap .*)$", PAGE, re.M)
    assert len(commands) > 5
    for command in commands:
        _parser().parse_args(shlex.split(command)[1:])
