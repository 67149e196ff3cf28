"""Difference between the server's clock and the agent's.

Evidence, deadlines and one-time passwords depend on it; see ``probes.templates.clock_skew``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from probes.model import Measurement, Probe, Session, Text
from probes.templates.clock_skew import MEASURE, THRESHOLD, skew

NOW = "select extract(epoch from clock_timestamp())::float8 as now"


def read(session: Session) -> Iterable[Measurement]:
    """The difference; this is the only probe that reads the agent's clock."""
    yield skew(session, NOW, time.time)


PROBE = Probe(
    name="clock_skew",
    engine="postgresql",
    question=Text("Do the clocks of agent and server agree?"),
    measures=(MEASURE,),
    thresholds=(THRESHOLD,),
    read=read,
    every=300.0,
    runbook=Text(
        "1. `chronyc tracking` on both machines. 2. Is the NTP server reachable. 3. Correct a "
        "database server slowly (slew), not with a jump."
    ),
)
