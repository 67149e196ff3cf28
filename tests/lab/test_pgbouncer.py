"""Every fault of a pooler opens one incident; a healthy pooler opens none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.pgbouncer import FAULTS, HEALTHY
from tests.lab.pgbouncer.world import World, world
from tests.lab.scenario import Fault, Healthy
from tests.lab.trial import as_parameter, play_fault, play_healthy
from tests.servers import builds

WORLD = world
built = builds.pgbouncer
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.mark.parametrize("fault", [as_parameter(fault) for fault in FAULTS])
def test_the_fault_becomes_one_incident_that_names_its_cause(
    fault: Fault[World], where: World, tmp_path: Path
) -> None:
    play_fault(fault, where, tmp_path)


@pytest.mark.parametrize("healthy", HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent(
    healthy: Healthy[World], where: World, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)
