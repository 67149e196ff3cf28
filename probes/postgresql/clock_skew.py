"""Do the agent and the server agree on what time it is?

Evidence, deadlines and one-time passwords all rest on it. The server's clock is compared with the
middle of the question's round trip, and half of that trip is given to the server as doubt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.units import duration

_NOW = "select extract(epoch from clock_timestamp())::float8 as now"


def skew(session: Session, clock: Callable[[], float]) -> Measurement:
    """How far the server's clock is from ``clock`` (Unix time), beyond the doubt."""
    before = clock()
    server = float(session.rows(_NOW)[0]["now"])
    after = clock()
    ahead = server - (before + after) / 2
    beyond = max(0.0, abs(ahead) - (after - before) / 2)
    direction = Text("di depan", "ahead") if ahead > 0 else Text("di belakang", "behind")
    return Measurement(
        "clock_skew_seconds",
        beyond,
        detail={"direction": direction, "by": duration(abs(ahead))},
    )


def read(session: Session) -> Iterable[Measurement]:
    """The one probe whose question is the agent's own clock."""
    yield skew(session, time.time)


PROBE = Probe(
    name="clock_skew",
    engine="postgresql",
    question=Text("Apakah jam agen dan server cocok?", "Do the clocks of agent and server agree?"),
    measures=(
        Measure("clock_skew_seconds", "seconds", "Between the agent's clock and the server's."),
    ),
    thresholds=(
        Threshold(
            "clock_skew_seconds",
            Text(
                "Jam {target} {by} {direction} jam agen",
                "The clock of {target} is {by} {direction} of the agent's",
            ),
            Text(
                "Periksa NTP di kedua mesin (chronyc tracking, timedatectl); salah satunya salah.",
                "Check NTP on both machines (chronyc tracking, timedatectl); one of them is wrong.",
            ),
            "clock",
            # 2 s and 5 s are common practice. It disturbs no application at once, so it opens an
            # incident only when times in evidence would be wrong by minutes.
            warning=2.0,
            critical=120.0,
            raise_after=2,
        ),
    ),
    read=read,
    every=300.0,
    runbook=Text(
        "1. chronyc tracking di kedua mesin. 2. Apakah server NTP terjangkau. 3. Perbaiki dengan "
        "langkah kecil (slew), bukan lompatan, pada server basis data.",
        "1. chronyc tracking on both machines. 2. Is the NTP server reachable. 3. Correct a "
        "database server slowly (slew), not with a jump.",
    ),
)
