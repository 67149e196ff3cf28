"""Every fault of a MySQL group opens one incident; a healthy group opens none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.mysql import group
from tests.lab.mysql.group import Group
from tests.lab.scenario import Fault, Healthy
from tests.lab.trial import as_parameter, play_fault, play_healthy

WORLD = group.world
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]


@pytest.mark.parametrize("fault", [as_parameter(fault) for fault in group.FAULTS])
def test_the_fault_becomes_one_incident_that_names_its_cause(
    fault: Fault[Group], where: Group, tmp_path: Path
) -> None:
    play_fault(fault, where, tmp_path)


@pytest.mark.parametrize("healthy", group.HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent(
    healthy: Healthy[Group], where: Group, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)


@pytest.mark.parametrize(
    "healthy", group.HEALTHY_WITH_MANY_PRIMARIES, ids=lambda healthy: healthy.name
)
def test_many_primaries_are_right_where_the_group_has_many(
    healthy: Healthy[Group], tmp_path: Path
) -> None:
    with group.world(single=False) as where:
        play_healthy(healthy, where, tmp_path)
