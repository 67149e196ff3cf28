"""Every probe that asks nothing itself and is derived from the readings of others."""

from __future__ import annotations

from probes import Probe
from probes.fleet import cluster_roles, membership, reachability, self_cost

EVERY_DERIVED_PROBE: tuple[Probe, ...] = (
    *membership.DERIVED_PROBES,
    cluster_roles.PROBE,
    reachability.PROBE,
    self_cost.PROBE,
)
