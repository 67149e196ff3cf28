"""Runs promtool on rules and expressions; without it a test fails with the package to install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*arguments: str, folder: Path) -> str:
    """Run promtool in ``folder``; fails the test with its output if it reports an error."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is missing; as root on Debian: apt-get install prometheus")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout
