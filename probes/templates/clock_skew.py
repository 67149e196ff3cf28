"""Difference between a server's clock and the agent's, with its limits.

The server's clock is compared with the middle of the query's round trip. Half of the round trip is
subtracted as uncertainty, so that a slow network is not reported as a wrong clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from probes.i18n.formats import duration
from probes.model import Measure, Measurement, Probe, Session, Text, Threshold

MEASURE = Measure(
    "clock_skew_seconds", "seconds", "Difference between the agent's clock and the server's."
)

THRESHOLD = Threshold(
    "clock_skew_seconds",
    Text("The clock of {target} is {by} {direction} of the agent's"),
    Text("Check NTP on both machines (`chronyc tracking`, `timedatectl`); one of them is wrong."),
    "clock",
    # 2 s and 5 s are common practice. It disturbs no application at once, so it opens an
    # incident only when times in evidence would be wrong by minutes.
    warning=2.0,
    critical=120.0,
    raise_after=2,
    headline=Text("The clock of {target} is {direction} of the agent's"),
)


def skew(session: Session, question: str, clock: Callable[[], float]) -> Measurement:
    """Seconds by which the server's clock differs from ``clock`` (Unix time), less the uncertainty.

    ``question``: SQL that returns the server's Unix time as ``now``.
    """
    before = clock()
    server = float(session.rows(question)[0]["now"])
    after = clock()
    ahead = server - (before + after) / 2
    beyond = max(0.0, abs(ahead) - (after - before) / 2)
    direction = Text("ahead") if ahead > 0 else Text("behind")
    return Measurement(
        MEASURE.name,
        beyond,
        detail={"direction": direction, "by": duration(abs(ahead))},
    )


def probe(engine: str, server_time: str, every: float) -> Probe:
    """The probe of an engine; ``server_time`` as in ``skew``. Evidence, deadlines and the order of
    events in two logs depend on it.
    """

    def read(session: Session) -> Iterator[Measurement]:
        # The one probe whose question is the clock itself, so it must read one.
        yield skew(session, server_time, time.time)

    return Probe(
        name="clock_skew",
        engine=engine,
        question=Text("Does the server's clock agree with the agent's?"),
        measures=(MEASURE,),
        thresholds=(THRESHOLD,),
        read=read,
        every=every,
        runbook=Text(
            "1. Whose clock is wrong? Compare with a third (`chronyc tracking` on both machines). "
            "2. Turn NTP on; is its server reachable? 3. Do not set a database server's clock back "
            "at once: let NTP slew it."
        ),
    )
