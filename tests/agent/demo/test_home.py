"""The demo's folder between two demos."""

from __future__ import annotations

from pathlib import Path

from agent.demo.home import Home
from agent.state.folder import KEPT_FILE


def test_the_demos_own_stop_and_start_is_no_restart_to_its_next_agent(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / KEPT_FILE).write_text("{}")
    home.forget_starts()
    home.forget_starts()
    assert not (tmp_path / KEPT_FILE).exists()
