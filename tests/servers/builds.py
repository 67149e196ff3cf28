"""Versions of this machine's servers, read from the programs without starting them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from tests.servers import postgres_programs

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Build:
    """A server's flavour, and its version as ``Session.version`` counts."""

    flavour: str
    version: int


@cache
def _said(program: str) -> tuple[int, ...]:
    """The numbers of the program's version; empty where it is missing."""
    found = shutil.which(program) or shutil.which(program, path=SBIN)
    if found is None:
        return ()
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+(?:\.\d+)+", said)
    return tuple(int(part) for part in number[0].split(".")) if number else ()


def _build(flavour: str, numbers: tuple[int, ...]) -> Build | None:
    if not numbers:
        return None  # the test itself says that the server is missing
    if flavour == "postgresql":
        return Build(flavour, numbers[0] * 10_000 + numbers[1])
    major, minor, patch = (*numbers, 0, 0)[:3]
    return Build(flavour, major * 10_000 + minor * 100 + patch)


def mariadb(parameters: Mapping[str, Any]) -> Build | None:
    return _build("mariadb", _said("mariadbd"))


def postgresql(parameters: Mapping[str, Any]) -> Build | None:
    try:
        folder = postgres_programs.bindir()
    except pytest.fail.Exception:
        return None
    return _build("postgresql", _said(str(folder / "postgres")))


def pgbouncer(parameters: Mapping[str, Any]) -> Build | None:
    return _build("pgbouncer", _said("pgbouncer"))


def of_matrix(parameters: Mapping[str, Any]) -> Build | None:
    """The build that the parameter ``worlds`` names; None for a suite whose version moves."""
    named = str(parameters["worlds"])
    known = {
        "mysql": Build("mysql", 90_000),
        "mariadb 10.5": Build("mariadb", 100_500),
        "mariadb 11.8": Build("mariadb", 110_800),
        "trixie": Build("pgbouncer", 12_400),
    }
    return Build("postgresql", int(named) * 10_000) if named.isdigit() else known.get(named)
