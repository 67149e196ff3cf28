"""Normal operation of a MariaDB pair, with the declared limits, opens no incident."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.mysql.healthy import HEALTHY
from tests.lab.mysql.world import World, world
from tests.lab.scenario import Healthy
from tests.lab.trial import play_healthy
from tests.servers import builds

WORLD = world
built = builds.mariadb
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.mark.parametrize("healthy", HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent(
    healthy: Healthy[World], where: World, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)
