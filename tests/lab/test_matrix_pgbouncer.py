"""The same faults on newer versions of PgBouncer: ``make test-matrix``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.pgbouncer import FAULTS, HEALTHY
from tests.lab.pgbouncer.world import World, world
from tests.lab.scenario import Fault, Healthy
from tests.lab.trial import Worlds, as_parameter, play_fault, play_healthy
from tests.servers.pgbouncer_versions import SUITES, program

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(scope="module", params=SUITES)
def worlds(request: pytest.FixtureRequest) -> Iterator[Worlds[World]]:
    """A pooler of one version; skipped with the reason where it cannot be had."""
    where = program(request.param)

    @contextmanager
    def of_that_version() -> Iterator[World]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SIGAP_PGBOUNCER", str(where))
            with world() as there:
                yield there

    made = Worlds(of_that_version)
    yield made
    made.close()


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
