"""Whether the pooler answers on the kept session.

Together with ``login`` it distinguishes "new clients are not let in, existing ones work" from a
pooler that is down. If the kept session cannot be used, the reading fails and ``up`` counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.local.down_evidence import when_down
from probes.model import Measurement, Probe, Session, Text
from probes.pgbouncer.connect import FOR_BOTH
from probes.templates import availability


def read(session: Session) -> Iterable[Measurement]:
    """One query to the console."""
    session.rows(FOR_BOTH)
    yield Measurement("up", 1.0, detail={"reason": availability.ANSWERS_AGAIN})


PROBE = Probe(
    name="availability",
    engine="pgbouncer",
    question=Text("Does the pooler answer on a session that is already in?"),
    measures=(availability.UP,),
    thresholds=(
        availability.up(
            Text(
                "Applications behind this pooler do not reach their database. Check the service "
                "and the last lines of PgBouncer's log; if its process is there but silent, check "
                "its state (T) and whether SUSPEND holds it."
            )
        ),
    ),
    read=read,
    runbook=Text(
        "1. Is there a pgbouncer process, and not in state T? 2. The last lines of its log. 3. The "
        "limit of open files (LimitNOFILE) and memory. 4. The network. 5. Meanwhile applications "
        "may be pointed straight at PostgreSQL if max_connections suffices."
    ),
    judged_on_failure="up",
    exhibits_when_down=when_down,
)
