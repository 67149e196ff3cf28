"""Every registered probe has a fault in the lab, or a stated reason why it has none."""

from __future__ import annotations

import pytest

from probes import registry
from probes.fleet import cluster_roles, reachability
from probes.fleet.membership import DERIVED_PROBES
from tests.lab import mysql, pgbouncer, postgresql
from tests.lab.mysql import galera, group
from tests.lab.untouched import UNTOUCHED

FAULTS = {
    "postgresql": {fault.probe for fault in postgresql.FAULTS},
    "pgbouncer": {fault.probe for fault in pgbouncer.FAULTS},
    "mysql": {fault.probe for fault in mysql.FAULTS}
    | {fault.probe for fault in galera.FAULTS}
    | {fault.probe for fault in group.FAULTS},
}


@pytest.mark.parametrize("engine", FAULTS)
def test_every_probe_has_a_fault_in_the_lab_or_a_reason_why_not(engine: str) -> None:
    known = {
        probe.name
        for probe in (
            *registry.probes_for(engine),
            cluster_roles.PROBE,
            reachability.PROBE,
            *DERIVED_PROBES,
        )
    }
    missing = known - FAULTS[engine] - UNTOUCHED[engine].keys()
    assert not missing, (
        f"no scenario of the lab is about {sorted(missing)} of {engine}: break it for real in "
        f"tests/lab/{engine}/, or say in tests/lab/untouched.py why that cannot be"
    )
    touched = UNTOUCHED[engine].keys() & FAULTS[engine]
    assert not touched, f"the lab has a fault for {sorted(touched)}: take it out of UNTOUCHED"
    gone = UNTOUCHED[engine].keys() - known
    assert not gone, f"{engine} has no probe {sorted(gone)}: take it out of UNTOUCHED"
