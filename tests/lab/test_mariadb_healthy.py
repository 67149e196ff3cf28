"""Ordinary life of a MariaDB pair, watched with the declared limits, opens no incident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mysql.healthy import HEALTHY
from tests.lab.mysql.world import World, world
from tests.lab.scenario import Healthy
from tests.lab.trial import Worlds, play_healthy

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds[World]]:
    made = Worlds(world)
    yield made
    made.close()


@pytest.fixture
def where(worlds: Worlds[World]) -> World:
    return worlds.get()


@pytest.mark.parametrize("healthy", HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent(
    healthy: Healthy[World], where: World, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)
