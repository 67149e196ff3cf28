"""Selects the tests of a run, and states why each of the others is left out.

A test that cannot run in this kind of run is deselected while tests are collected, never skipped
half-way: versions the machine does not have (`make test-matrix`), vendors' images (a Docker engine
that answers), and everything that starts a server under `make quick`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import pytest

MATRIX_SWITCH = "SIGAP_TEST_MATRIX"
CONTAINER_SWITCH = "SIGAP_TEST_DOCKER"

OPT_IN: Mapping[str, tuple[str, str]] = {
    "matrix": (MATRIX_SWITCH, "versions this machine does not have (make test-matrix)"),
    "container": (CONTAINER_SWITCH, f"vendors' images ({CONTAINER_SWITCH}=1, a Docker engine)"),
}
"""Marker: the environment variable that asks for it, and what is left out without it."""

NOT_QUICK = ("servers", "browser", "processes", "root", "slow")
"""Markers of what `make quick` leaves out."""

COUNTED: pytest.StashKey[Counter[str]] = pytest.StashKey()


class Fitting(Protocol):
    """A test's parameter that knows on which servers it can happen."""

    @property
    def versions(self) -> tuple[int, int]: ...

    @property
    def flavours(self) -> tuple[str, ...]: ...


class Build(Protocol):
    """The servers a module plays on."""

    @property
    def flavour(self) -> str: ...

    @property
    def version(self) -> int: ...


def asked_for(marker: str) -> bool:
    """Whether this run asked for the opt-in tests of that marker."""
    return os.environ.get(OPT_IN[marker][0]) == "1"


def impossible_here(reason: str) -> NoReturn:
    """Skip, loudly, what turned out impossible on this machine only while the test ran."""
    pytest.skip(f"NOT TRIED: {reason}")


def fits(case: Fitting, build: Build) -> bool:
    """Whether the case can happen on servers of that build."""
    least, beyond = case.versions
    return (not case.flavours or build.flavour in case.flavours) and least <= build.version < beyond


def left_out(item: pytest.Item, *, quick: bool) -> str:
    """Why this run does not run the test; empty when it does."""
    for marker, (_, what) in OPT_IN.items():
        if item.get_closest_marker(marker) and not asked_for(marker):
            return what
    if quick and any(item.get_closest_marker(marker) for marker in NOT_QUICK):
        return "what needs servers, a browser, processes of its own, root or time (make test)"
    return "" if _fits_its_servers(item) else "faults these versions or flavours cannot have"


def _fits_its_servers(item: pytest.Item) -> bool:
    """A lab module declares with ``built`` which servers a test gets; without it every case
    fits.
    """
    built: Callable[[Mapping[str, Any]], Build | None] | None
    built = getattr(getattr(item, "module", None), "built", None)
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    case = parameters.get("fault", parameters.get("healthy"))
    if built is None or case is None:
        return True
    build = built(parameters)
    return build is None or fits(case, build)


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what this run runs; count the rest by reason for the summary."""
    quick = bool(config.getoption("quick"))
    counted = config.stash.setdefault(COUNTED, Counter())
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        reason = left_out(item, quick=quick)
        (dropped if reason else kept).append(item)
        if reason:
            counted[reason] += 1
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def told(counted: Mapping[str, int]) -> list[str]:
    """One line for each reason, the most first."""
    ordered = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return [f"{number} tests: {reason}" for reason, number in ordered]
