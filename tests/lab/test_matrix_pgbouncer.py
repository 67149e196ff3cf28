"""The same faults on newer versions of PgBouncer: ``make test-matrix``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.lab.pgbouncer import FAULTS, HEALTHY
from tests.lab.pgbouncer.world import World, world
from tests.lab.scenario import Fault, Healthy
from tests.lab.trial import as_parameter, each_version, play_fault, play_healthy, with_programs
from tests.servers.builds import of_matrix
from tests.servers.pgbouncer_versions import SUITES, program

built = of_matrix
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]


worlds = each_version(
    SUITES, lambda version: partial(with_programs, "SIGAP_PGBOUNCER", program(version), world)
)


@pytest.mark.parametrize("fault", [as_parameter(fault) for fault in FAULTS])
def test_the_fault_becomes_one_incident_on_this_version_too(
    fault: Fault[World], where: World, tmp_path: Path
) -> None:
    play_fault(fault, where, tmp_path)


@pytest.mark.parametrize("healthy", HEALTHY, ids=lambda healthy: healthy.name)
def test_the_healthy_state_stays_silent_on_this_version_too(
    healthy: Healthy[World], where: World, tmp_path: Path
) -> None:
    play_healthy(healthy, where, tmp_path)
