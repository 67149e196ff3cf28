"""An account that may only read the configuration and the store can verify the ledger.

The commands run in this process, and then in a child that is not root: their imports are loaded by
then, because this interpreter may be readable only by root.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from agent.cli import main
from tests.acceptance.office import PASSWORD
from tests.support.accounts import said_by_ordinary_user
from tests.support.agent import sigap, target_lines, write_config
from tests.support.builders import a_target

pytestmark = pytest.mark.processes

READING = [
    ("incidents", "list"),
    ("incidents", "show", "NUMBER"),
    ("incidents", "show", "NUMBER", "--json"),
    ("people", "list"),
    ("verify",),
    ("export", "BUNDLE"),
]
RUNNING = re.compile(r'seconds": [\d.]+')
"""A clock of the incident that runs on between two commands."""


def told(*words: str) -> str:
    """What a command of this process prints, with its exit code before it."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = main(words)
    return f"{code} {out.getvalue()}"


@pytest.fixture
def closed(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The number of an incident in a folder where an ordinary user may read the store alone."""
    (open_folder / "simpeg.pw").write_text("secret\n")
    (open_folder / "simpeg.pw").chmod(0o600)
    write_config(open_folder, [target_lines(a_target(), password_file="simpeg.pw")])
    added = sigap("people", "add", "budi", "--name", "Budi", folder=open_folder, stdin=PASSWORD)
    assert added.returncode == 0, added.stderr
    report = ("incidents", "open", "--title", "SIMPEG lambat", "--as", "budi")
    opened = sigap(*report, folder=open_folder, stdin=PASSWORD)
    assert opened.returncode == 0, opened.stderr
    (open_folder / "bundles").mkdir()
    (open_folder / "bundles").chmod(0o777)
    monkeypatch.chdir(open_folder)
    monkeypatch.delenv("SIGAP_CONFIG", raising=False)
    yield opened.stdout.split()[1]
    open_folder.chmod(0o755)


def close(folder: Path) -> None:
    (folder / "simpeg.pw").chmod(0o000)
    for each in folder.glob("sigap.db*"):
        each.chmod(0o444)
    folder.chmod(0o555)


def test_a_reading_command_says_the_same_to_who_may_only_read(
    closed: str, open_folder: Path
) -> None:
    bundle = open_folder / "bundles" / "ledger.jsonl"
    meant = {"NUMBER": closed, "BUNDLE": str(bundle)}
    commands = [[meant.get(word, word) for word in words] for words in READING]
    as_owner = [told(*words) for words in commands]
    assert [each[:2] for each in as_owner] == ["0 "] * len(READING)
    bundle.unlink()
    close(open_folder)
    for words, expected in zip(commands, as_owner, strict=True):
        said = said_by_ordinary_user(partial(told, *words))
        assert RUNNING.sub("", said) == RUNNING.sub("", expected), words
    assert told("verify", str(bundle)).startswith("0 ")


def test_a_writing_command_still_asks_for_the_right_to_write(
    closed: str, open_folder: Path
) -> None:
    words = ("people", "assign", "budi", "PP")
    close(open_folder)
    said = said_by_ordinary_user(lambda: told(*words))
    assert said.startswith("1 sigap: ")
    assert "chown" in said or "chmod u+rwx" in said
