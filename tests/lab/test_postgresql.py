"""Every fault of PostgreSQL in the lab opens one incident, in time, with its cause named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.postgresql import FAULTS
from tests.lab.postgresql.world import World, world
from tests.lab.scenario import Fault
from tests.lab.trial import as_parameter, play_fault
from tests.servers import builds

WORLD = world
built = builds.postgresql
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.mark.parametrize("fault", [as_parameter(fault) for fault in FAULTS])
def test_the_fault_becomes_one_incident_that_names_its_cause(
    fault: Fault[World], where: World, tmp_path: Path
) -> None:
    play_fault(fault, where, tmp_path)
