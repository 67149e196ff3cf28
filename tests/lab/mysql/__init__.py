"""Every fault of MariaDB and MySQL the lab can cause, family by family."""

from tests.lab.mysql import (
    availability,
    capacity,
    disk,
    durability,
    locks,
    membership,
    performance,
    replication,
    transactions,
)
from tests.lab.mysql.world import World
from tests.lab.scenario import Fault

FAULTS: tuple[Fault[World], ...] = (
    *locks.FAULTS,
    *replication.FAULTS,
    *transactions.FAULTS,
    *capacity.FAULTS,
    *availability.FAULTS,
    *durability.FAULTS,
    *performance.FAULTS,
    *disk.FAULTS,
    *membership.FAULTS,
)
