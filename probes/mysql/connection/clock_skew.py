"""Difference between the server's clock and the agent's.

Heartbeat lag, deadlines of the procedure and the order of events in two logs depend on it; see
``probes.templates.clock_skew``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from probes.model import Measurement, Probe, Session, Text
from probes.templates.clock_skew import MEASURE, THRESHOLD, skew

_NOW = "SELECT unix_timestamp(now(6)) AS now"


def read(session: Session) -> Iterator[Measurement]:
    """The absolute difference between both clocks, in seconds."""
    # The one probe whose question is the clock itself, so it must read one.
    yield skew(session, _NOW, time.time)


PROBE = Probe(
    name="clock_skew",
    engine="mysql",
    question=Text("Does the server's clock agree with the agent's?"),
    measures=(MEASURE,),
    thresholds=(THRESHOLD,),
    read=read,
    every=60.0,
    runbook=Text(
        "1. Whose clock is wrong? Compare with a third. 2. Turn NTP on. 3. Do not set a database "
        "server's clock back at once: let NTP slew it."
    ),
)
