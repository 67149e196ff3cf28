"""What every test shares: Hypothesis' settings, which tests a run leaves out, and its summary.

Property tests never fail for a busy machine, only for a wrong answer, and under CI they draw the
same examples every time, so that a red run is red again at home.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.lab import table
from tests.support import no_servers, selection
from tests.support.used import noted

settings.register_profile("home", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")

USED: pytest.StashKey[dict[str, int]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="leave out what needs a server, a browser, root or time, and refuse to start any",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[USED] = {}
    if config.getoption("quick"):
        no_servers.forbid()
    elif not hasattr(config, "workerinput"):  # a quick run leaves the lab's last table alone
        table.clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.select(config, items)


def _add(config: pytest.Config, used: dict[str, int]) -> None:
    total = config.stash[USED]
    for what, times in used.items():
        total[what] = total.get(what, 0) + times


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it used and left out; a run without workers keeps it."""
    counted = session.config.stash.get(selection.COUNTED, Counter())
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _add(session.config, noted())
        if no_servers.refused():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    else:
        output.update(used=noted(), left_out=dict(counted))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    _add(node.config, output.get("used", {}))
    # each worker collects everything, so one worker's count is the run's
    node.config.stash[selection.COUNTED] = Counter(output.get("left_out", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the real servers and their versions, what was left out and why, and what was refused."""
    used = config.stash[USED]
    terminalreporter.section("real servers and programs used")
    for what, times in sorted(used.items()):
        terminalreporter.write_line(f"{what}, started {times} times")
    if not used:
        terminalreporter.write_line("none")
    if counted := config.stash.get(selection.COUNTED, Counter()):
        terminalreporter.section("left out of this run")
        for line in selection.told(counted):
            terminalreporter.write_line(line)
    if refused := no_servers.refused():
        terminalreporter.section("SERVERS STARTED IN A RUN WITHOUT SERVERS")
        for line in refused:
            terminalreporter.write_line(line)
    if not config.getoption("quick") and (written := table.write()):
        terminalreporter.section("the fault lab")
        terminalreporter.write_line(written)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach, also when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="sigap-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
