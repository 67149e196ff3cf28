"""Difference between the server's clock and the agent's; see ``probes.templates.clock_skew``."""

from __future__ import annotations

from probes.templates import clock_skew

# The age of the heartbeat of ``write_canary`` depends on both clocks, so it is asked often.
PROBE = clock_skew.probe("mysql", "SELECT unix_timestamp(now(6)) AS now", every=60.0)
