"""Difference between the server's clock and the agent's; see ``probes.templates.clock_skew``."""

from __future__ import annotations

from probes.templates import clock_skew

NOW = "select extract(epoch from clock_timestamp())::float8 as now"

PROBE = clock_skew.probe("postgresql", NOW, every=300.0)
