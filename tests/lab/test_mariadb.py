"""Every fault of MariaDB in the lab becomes one incident, in time, with its cause named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mysql import availability, locks, replication
from tests.lab.mysql.world import World, world
from tests.lab.scenario import Fault
from tests.lab.trial import play_fault

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAULTS: tuple[Fault[World], ...] = (
    *locks.FAULTS,
    *replication.FAULTS,
    *availability.FAULTS,
)


@pytest.fixture(scope="module")
def where() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_fault_becomes_one_incident_that_names_its_cause(
    fault: Fault[World], where: World, tmp_path: Path
) -> None:
    play_fault(fault, where, tmp_path)
