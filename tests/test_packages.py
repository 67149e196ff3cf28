"""The source distribution contains everything the installation guide needs, and builds the same
program.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def built(project: Path, kind: str, into: Path) -> Path:
    """What the build backend that pyproject.toml names makes of ``project``."""
    work = f"import hatchling.build, sys; print(hatchling.build.build_{kind}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", work, str(into)],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built(ROOT, "sdist", folder)) as archive:
        archive.extractall(folder, filter="data")
    [found] = [each for each in folder.iterdir() if each.is_dir()]
    return found


@pytest.mark.parametrize(
    "needed",
    [
        "agent.yaml",
        "deploy/sigap.service",
        "requirements/agent.txt",
        "requirements/run.txt",
        "docs/installing.md",
        "README.md",
    ],
)
def test_the_steps_of_installing_find_their_files_in_the_source_distribution(
    unpacked: Path, needed: str
) -> None:
    assert (unpacked / needed).read_bytes() == (ROOT / needed).read_bytes()


def test_every_link_between_the_pages_leads_to_something_that_is_shipped(unpacked: Path) -> None:
    pages = sorted(unpacked.rglob("*.md"))
    dead = [
        f"{page.relative_to(unpacked)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert len(pages) > 10
    assert dead == []


def test_the_source_distribution_builds_the_same_program_as_the_checkout(
    unpacked: Path, tmp_path: Path
) -> None:
    names = []
    for project in (ROOT, unpacked):
        into = tmp_path / project.name
        into.mkdir()
        with zipfile.ZipFile(built(project, "wheel", into)) as wheel:
            names.append(set(wheel.namelist()))
    ours, theirs = names
    assert "agent/cli.py" in ours
    assert "probes/i18n/locale/id/LC_MESSAGES/sigap.mo" in ours
    assert theirs == ours
