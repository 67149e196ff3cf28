"""All derived probes: they query nothing and are computed from other probes' readings."""

from __future__ import annotations

from probes import Probe
from probes.fleet import cluster_roles, membership, reachability, self_cost

EVERY_DERIVED_PROBE: tuple[Probe, ...] = (
    *membership.DERIVED_PROBES,
    cluster_roles.PROBE,
    reachability.PROBE,
    self_cost.PROBE,
)
