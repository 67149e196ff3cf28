"""The lock and the set-up scripts of a fresh clone.

The lock is complete, holds each package once and names no package index, and a machine that lacks
something gets one sentence that says what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)", re.MULTILINE)


PARTS = ("agent.txt", "run.txt", "dev.txt")
INCLUDED = re.compile(r"^-r (\S+)$", re.MULTILINE)


def text_of(part: str) -> str:
    return (ROOT / "requirements" / part).read_text(encoding="utf-8")


def pins(part: str) -> dict[str, str]:
    """What a part of the lock pins, with the parts it includes."""
    text = text_of(part)
    held: dict[str, str] = {}
    for included in INCLUDED.findall(text):
        held |= pins(included)
    return held | dict(PINNED.findall(text))


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def outside(requirements: list[Requirement], held: Mapping[str, str]) -> list[str]:
    """Requirements that no pin meets."""
    missed = []
    for each in requirements:
        version = held.get(canonicalize_name(each.name))
        if version is None or Version(version) not in each.specifier:
            missed.append(f"{each} (locked: {version})")
    return missed


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("agent.txt", ()),
        ("run.txt", ("desk", "demo")),
        ("dev.txt", ("desk", "demo", "dev")),
    ],
)
def test_every_range_of_the_project_is_locked(lock: str, extras: tuple[str, ...]) -> None:
    assert outside(wanted(*extras), pins(lock)) == []


def test_a_range_that_the_lock_misses_is_found() -> None:
    requirements = [Requirement("psutil>=7"), Requirement("segno>=2"), Requirement("absent")]
    held = {"psutil": "7.2.2", "segno": "1.6.6"}
    assert outside(requirements, held) == ["segno>=2 (locked: 1.6.6)", "absent (locked: None)"]


def test_each_package_is_locked_once_and_each_part_includes_the_one_before() -> None:
    names = [name for part in PARTS for name, _ in PINNED.findall(text_of(part))]
    assert len(names) == len(set(names)) == len(pins("dev.txt"))
    assert [INCLUDED.findall(text_of(part)) for part in PARTS] == [[], ["agent.txt"], ["run.txt"]]


@pytest.mark.parametrize("part", PARTS)
def test_every_locked_version_has_a_hash_and_no_line_says_where_from(part: str) -> None:
    text = INCLUDED.sub("", text_of(part))
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(PINNED.findall(text))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "index-url" not in text


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "tools" / script), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_too_old_is_named_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = run("venv", "run", PYTHON=str(old))
    assert done.returncode == 1
    assert done.stdout == ""
    [sentence] = done.stderr.splitlines()
    assert "found Python 3.9.2" in sentence
    assert "apt-get install python3 python3-venv" in sentence


def test_no_python_at_all_is_said_in_one_sentence() -> None:
    done = run("venv", "run", PYTHON="no-such-python")
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "found no no-such-python" in sentence


def test_a_start_with_everything_in_place_installs_nothing() -> None:
    # any install would speak on stderr, and could find nothing without an index
    if not (ROOT / ".venv" / "sigap-dev").exists():
        pytest.fail("the tests run outside .venv: start them with `make test`")
    done = run("venv", "dev", PIP_NO_INDEX="1", PYTHON=os.environ.get("PYTHON", ""))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_tests_lack_is_named_with_the_line_that_brings_it(tmp_path: Path) -> None:
    for name in ("bash", "id", "git", "promtool"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    done = run("test-needs", "--look", PATH=str(tmp_path))
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    packages = sentence.partition("--no-install-recommends ")[2].split()
    assert "mariadb-client" in packages
    assert "chromium" in packages
    assert "git" not in packages
    assert "prometheus" not in packages


def test_nothing_is_lacking_here() -> None:
    done = run("test-needs", "--look")
    assert (done.returncode, done.stderr) == (0, "")


def test_make_alone_lists_what_there_is() -> None:
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("run", "test", "check", "bench", "lock", "clean"):
        assert f"make {target} " in done.stdout
