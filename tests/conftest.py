"""What every test shares, and nothing that belongs to one room only.

Promise: property tests never fail for a busy machine, only for a wrong answer, and under CI they
draw the same examples every time, so that a red run is red again at home.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.lab import table
from tests.support.used import noted

settings.register_profile("home", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")

USED: pytest.StashKey[dict[str, int]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[USED] = {}
    if not hasattr(config, "workerinput"):
        table.clear()


def _add(config: pytest.Config, used: dict[str, int]) -> None:
    total = config.stash[USED]
    for what, times in used.items():
        total[what] = total.get(what, 0) + times


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it used; a run without workers keeps it."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _add(session.config, noted())
    else:
        output["used"] = noted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _add(node.config, getattr(node, "workeroutput", {}).get("used", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the real servers and their versions, so that nobody has to believe it."""
    used = config.stash[USED]
    terminalreporter.section("real servers and programs used")
    for what, times in sorted(used.items()):
        terminalreporter.write_line(f"{what}, started {times} times")
    if not used:
        terminalreporter.write_line("none")
    if written := table.write():
        terminalreporter.section("the fault lab")
        terminalreporter.write_line(written)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder an ordinary user can reach, whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="sigap-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
