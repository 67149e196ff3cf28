"""Every fault of a pooler the lab can cause, and what must stay silent."""

from tests.lab.pgbouncer.faults import FAULTS
from tests.lab.pgbouncer.healthy import HEALTHY

__all__ = ["FAULTS", "HEALTHY"]
