"""Every fault of a pooler in the lab, and healthy scenarios."""

from tests.lab.pgbouncer.faults import FAULTS
from tests.lab.pgbouncer.healthy import HEALTHY

__all__ = ["FAULTS", "HEALTHY"]
