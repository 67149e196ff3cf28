"""A server whose clock is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, Fault

AHEAD_SECONDS = 180


@contextmanager
def ahead(world: World) -> Iterator[None]:
    """The primary starts after its machine's clock was set by hand."""
    one = world.primary
    one.environment = {
        "LD_PRELOAD": str(_library()),
        "FAKETIME": f"+{AHEAD_SECONDS}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    try:
        one.restart()
        world.wait_whole()
        yield
    finally:
        one.environment = {}
    one.restart()
    world.wait_whole()


def _library() -> Path:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        pytest.fail("a server's clock is moved by libfaketime: apt-get install libfaketime")
    return found


FAULTS = (
    Fault(
        "clock/ahead", "postgresql", ahead, PRIMARY, "clock_skew", "clock_skew_seconds", "clock",
        ("primary", "ahead"),
        versions=(140000, 10**9),  # 13 comes with a C library older than what moves the clock
    ),
)  # fmt: skip
