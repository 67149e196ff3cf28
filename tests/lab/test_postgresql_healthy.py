"""Normal operation of a PostgreSQL pair, with the declared limits, opens no incident."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.postgresql.healthy import HEALTHY
from tests.lab.postgresql.world import World, world
from tests.lab.scenario import Healthy
from tests.lab.trial import play_healthy
from tests.servers import builds

WORLD = world
built = builds.postgresql
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.mark.parametrize("healthy", HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent(
    healthy: Healthy[World], where: World, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)
