"""Answers of the running demo to a second terminal when a command fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.demo import control
from agent.demo.control import Control, ask
from agent.demo.errors import DemoError
from tests.agent.demo.places import demo_folder


def _fails(request: Mapping[str, Any]) -> Mapping[str, Any]:
    raise RuntimeError("canceling statement\ndue to lock timeout")


def test_a_failure_of_the_demo_is_told_as_what_it_was_and_not_as_no_demo() -> None:
    with demo_folder() as folder:
        path = _socket(folder)
        server = Control(path, _fails)
        server.start()
        try:
            with pytest.raises(DemoError) as said:
                ask(path, {"command": "break"})
        finally:
            server.stop()
        with pytest.raises(DemoError, match="No demo runs"):
            ask(path, {"command": "status"})
    assert "canceling statement due to lock timeout" in said.value.reason.en
    assert "No demo runs" not in said.value.reason.en


def test_a_demo_that_does_not_answer_in_time_is_not_said_to_be_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.2)
    ended = threading.Event()

    def never(request: Mapping[str, Any]) -> Mapping[str, Any]:
        ended.wait(30)
        return {}

    with demo_folder() as folder:
        path = _socket(folder)
        server = Control(path, never)
        server.start()
        try:
            with pytest.raises(DemoError, match="did not answer within"):
                ask(path, {"command": "heal"})
        finally:
            ended.set()
            server.stop()


def _socket(folder: Path) -> Path:
    path = folder / "run" / "s"
    path.parent.mkdir(parents=True)
    return path
