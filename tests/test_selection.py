"""What a run leaves out, and that nothing in it is known to skip."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab import table
from tests.servers.builds import Build, of_matrix
from tests.support import no_servers, selection

ROOT = Path(__file__).resolve().parent.parent
ONE_PLACE = Path("tests/support/selection.py")
SKIPPING = {"skip", "skipif", "importorskip", "SkipTest", "skipTest", "xfail"}


def skipping(source: str) -> list[int]:
    """The lines that may skip a test, by a call or by a marker."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in SKIPPING
    ]


def test_a_test_is_skipped_in_one_place_only_which_says_why() -> None:
    found = {
        str(path.relative_to(ROOT)): skipping(path.read_text(encoding="utf-8"))
        for path in (ROOT / "tests").rglob("*.py")
        if path.relative_to(ROOT) != ONE_PLACE
    }
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source", ["pytest.skip('x')", "pytest.mark.skipif(True, reason='x')", "m.importorskip('x')"]
)
def test_a_skip_elsewhere_is_found(source: str) -> None:
    assert skipping(source) == [1]


def test_this_run_holds_no_test_that_is_known_to_skip(request: pytest.FixtureRequest) -> None:
    quick = bool(request.config.getoption("quick"))
    known = [
        item.nodeid
        for item in request.session.items
        if item.get_closest_marker("skip") or item.get_closest_marker("skipif")
        or selection.left_out(item, quick=quick)
    ]  # fmt: skip
    assert known == []


class Collected:
    """Stands in for a collected test."""

    def __init__(self, *markers: str, built: Any = None, **params: Any) -> None:
        self._markers = markers
        self.module = type("module", (), {"built": staticmethod(built) if built else None})
        self.callspec = type("callspec", (), {"params": params})

    def get_closest_marker(self, name: str) -> bool:
        return name in self._markers


class Case:
    def __init__(self, versions: tuple[int, int], *flavours: str) -> None:
        self.versions, self.flavours = versions, flavours


def left_out(item: Any, *, quick: bool = False) -> str:
    return selection.left_out(item, quick=quick)


@pytest.fixture
def nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for switch, _ in selection.OPT_IN.values():
        monkeypatch.delenv(switch, raising=False)
    yield


@pytest.mark.usefixtures("nothing_asked_for")
@pytest.mark.parametrize("marker", selection.OPT_IN)
def test_what_nobody_asked_for_is_left_out(marker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_out(Collected(marker))
    monkeypatch.setenv(selection.OPT_IN[marker][0], "1")
    assert not left_out(Collected(marker))


@pytest.mark.parametrize("marker", selection.NOT_QUICK)
def test_only_a_quick_run_leaves_out_what_needs_servers_or_time(marker: str) -> None:
    assert left_out(Collected(marker), quick=True)
    assert not left_out(Collected(marker))


def _fifteen(parameters: Mapping[str, Any]) -> Build:
    return Build("postgresql", 150018)


@pytest.mark.parametrize(
    ("case", "fit"),
    [
        (Case((0, 10**9)), True),
        (Case((150000, 10**9), "postgresql"), True),
        (Case((170000, 10**9)), False),
        (Case((0, 150000)), False),
        (Case((0, 10**9), "mysql"), False),
    ],
)
def test_a_fault_these_servers_cannot_have_is_left_out(case: Case, fit: bool) -> None:
    assert bool(left_out(Collected(built=_fifteen, fault=case))) is not fit
    assert bool(left_out(Collected(built=_fifteen, healthy=case))) is not fit


def test_a_build_nobody_knows_before_it_is_fetched_leaves_nothing_out() -> None:
    assert of_matrix({"worlds": "sid"}) is None
    assert not left_out(Collected(built=of_matrix, worlds="sid", fault=Case((1, 2))))
    assert left_out(Collected(built=of_matrix, worlds="13", fault=Case((140000, 10**9))))


# -- the guard of a quick run --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["/usr/lib/postgresql/15/bin/postgres", "-D", "x"], "postgres"),
        (["mariadbd", "--defaults-file=x"], "mariadbd"),
        (["runuser", "-u", "nobody", "--", "/usr/sbin/pgbouncer", "x.ini"], "pgbouncer"),
        ([b"/usr/bin/chromium", b"--headless"], "chromium"),
        (["/usr/sbin/mariadbd", "--version"], ""),
        (["git", "grep", "postgres"], ""),
        (["/t/pytest-of-root/pytest-0/test_x0/postgres", "600"], ""),
        ([sys.executable, "-c", "print('postgres')"], ""),
    ],
)
def test_a_server_is_known_by_its_program(command: list[object], found: str) -> None:
    assert no_servers.server_in(command) == found


PLANTED = """
import subprocess, sys
def test_one():
    try:
        {call}
    except BaseException:
        pass
"""


@pytest.mark.slow  # a pytest of its own each
@pytest.mark.parametrize(
    "call",
    [
        "subprocess.run(['postgres', '-D', '/nowhere'])",
        "subprocess.run('initdb -D /nowhere', shell=True)",
        "subprocess.run([sys.executable, '-c', 'import os; os.execvp(\"mysqld\", [\"mysqld\"])'])",
    ],
    ids=["directly", "through a shell", "in a child"],
)
def test_a_quick_run_that_starts_a_server_fails_even_where_the_test_does_not(
    tmp_path: Path, call: str
) -> None:
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED.format(call=call), encoding="utf-8")
    row = table.ROWS / f"{os.getpid()}.kept"
    row.parent.mkdir(parents=True, exist_ok=True)
    row.touch()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--quick", "-n", "0", "-q", "-p", "no:cacheprovider"),
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)),
            *("--confcutdir", str(ROOT), str(ROOT / "tests/test_changelog.py"), str(planted)),
        ],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in {no_servers.LOG, "PYTHONPATH"}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "STARTED IN A RUN WITHOUT SERVERS" in done.stdout
    row.unlink()  # a run around this one keeps its lab's rows
