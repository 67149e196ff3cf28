"""The same faults on other versions of MariaDB, and on MySQL: ``make test-matrix``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.lab.mysql import FAULTS
from tests.lab.mysql.healthy import HEALTHY
from tests.lab.mysql.world import World, world
from tests.lab.scenario import Fault, Healthy
from tests.lab.trial import as_parameter, each_version, play_fault, play_healthy
from tests.servers import mariadb_versions, mysql
from tests.servers.builds import of_matrix

built = of_matrix
pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]


def _of(named: str) -> Callable[[], AbstractContextManager[World]]:
    flavour, _, version = named.partition(" ")
    if version:
        mariadb_versions.unpacked_root(version)
    else:
        mysql.unpacked_root()
    return partial(world, flavour, version)


worlds = each_version(["mariadb 10.5", "mariadb 11.8", "mysql"], _of)


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
