"""Every fault of PostgreSQL the lab can cause, family by family."""

from tests.lab.postgresql import (
    availability,
    backups,
    capacity,
    clock,
    disk,
    durability,
    locks,
    logical,
    membership,
    replication,
    transactions,
    vacuum,
    volumes,
)
from tests.lab.postgresql.world import World
from tests.lab.scenario import Fault

FAULTS: tuple[Fault[World], ...] = (
    *locks.FAULTS,
    *replication.FAULTS,
    *logical.FAULTS,
    *transactions.FAULTS,
    *vacuum.FAULTS,
    *capacity.FAULTS,
    *durability.FAULTS,
    *volumes.FAULTS,
    *disk.FAULTS,
    *backups.FAULTS,
    *availability.FAULTS,
    *membership.FAULTS,
    # last: for minutes, what was noted with the wrong clock is newer than everything
    *clock.FAULTS,
)
