"""Do this agent and the server agree what time it is.

Why: heartbeat lag, deadlines of the procedure and the order of events in two logs all rest on it.
Promise: half of the question's own round trip is taken off, so that a slow network is not called
a wrong clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold


def read(session: Session) -> Iterator[Measurement]:
    """The distance between both clocks, in seconds, either way."""
    # The one probe whose question is the clock itself, so it must read one.
    before = time.time()
    said = float(session.rows("SELECT unix_timestamp(now(6)) AS now")[0]["now"])
    skew = said - (before + time.time()) / 2
    way = Text("lebih cepat", "ahead") if skew > 0 else Text("lebih lambat", "behind")
    yield Measurement("clock_skew_seconds", abs(skew), detail={"way": way})


PROBE = Probe(
    name="clock_skew",
    engine="mysql",
    question=Text(
        "Apakah jam server sama dengan jam agen?",
        "Does the server's clock agree with the agent's?",
    ),
    measures=(
        Measure("clock_skew_seconds", "seconds", "Distance between the server's clock and ours"),
    ),
    thresholds=(
        Threshold(
            measure="clock_skew_seconds",
            title=Text(
                "{target}: jam server {value} {way} dari jam agen",
                "{target}: the server's clock is {value} {way} of the agent's",
            ),
            hint=Text(
                "Periksa NTP di kedua mesin (chronyc tracking, timedatectl).",
                "Check NTP on both machines (chronyc tracking, timedatectl).",
            ),
            family="clock",
            # two and five seconds, as check_postgres' time synchronisation
            warning=2.0,
            critical=5.0,
            raise_after=3,
        ),
    ),
    read=read,
    every=60.0,
    runbook=Text(
        "1) Jam siapa yang salah? Bandingkan dengan sumber ketiga. 2) Hidupkan NTP. 3) Jangan "
        "memundurkan jam server basis data sekaligus: biarkan NTP menggeser perlahan.",
        "1) Whose clock is wrong? Compare with a third. 2) Turn NTP on. 3) Do not set a database "
        "server's clock back at once: let NTP slew it.",
    ),
)
