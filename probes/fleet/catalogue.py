"""Why: who lists the probes must not leave out those that ask nothing and are derived from others.

They are declared beside what derives them; here they stand together.
"""

from __future__ import annotations

from probes import Probe
from probes.fleet import cluster_roles, membership, reachability, self_cost

EVERY_DERIVED_PROBE: tuple[Probe, ...] = (
    *membership.DERIVED_PROBES,
    cluster_roles.PROBE,
    reachability.PROBE,
    self_cost.PROBE,
)
