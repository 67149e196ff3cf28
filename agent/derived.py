"""Why: who lists the probes must not leave out those that ask nothing and are derived from others.

They are declared beside what derives them; here they stand together.
"""

from __future__ import annotations

from agent import budget, clusters, membership, reach
from probes import Probe

EVERY_DERIVED_PROBE: tuple[Probe, ...] = (
    *membership.DERIVED_PROBES,
    clusters.PROBE,
    reach.PROBE,
    budget.PROBE,
)
