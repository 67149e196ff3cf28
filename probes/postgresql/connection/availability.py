"""Whether the kept session answers, and whether the server's role is as expected.

Together with ``login`` it distinguishes "logins fail, existing sessions work" from a server that is
down. If the kept session cannot be used, the reading fails and ``up`` counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.local.down_evidence import when_down
from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.templates import availability

_STATE = """
select pg_is_in_recovery() as in_recovery,
       extract(epoch from pg_postmaster_start_time())::float8 as started,
       (select reset_val from pg_settings where name = 'default_transaction_read_only') = 'on'
         as defaults_to_read_only
"""


def read(session: Session) -> Iterable[Measurement]:
    """The server's state and role, read on the kept session."""
    state = session.rows(_STATE)[0]
    replica = bool(state["in_recovery"])
    actual = "replica" if replica else "primary"
    yield Measurement("up", 1.0, detail={"reason": availability.ANSWERS_AGAIN})
    yield Measurement("in_recovery", float(replica), detail={"role": actual})
    yield Measurement("read_only", float(not replica and bool(state["defaults_to_read_only"])))
    yield Measurement("start_time_seconds", float(state["started"]))
    expected = session.target.role
    if expected:
        yield Measurement(
            "role_as_expected",
            float(expected == actual),
            detail={"expected": expected, "actual": actual},
        )


PROBE = Probe(
    name="availability",
    engine="postgresql",
    question=Text("Can the server be used by a session that is already in, and is its role right?"),
    measures=(
        availability.UP,
        Measure("in_recovery", "", "1 on a replica, 0 on a primary."),
        Measure(
            "read_only", "", "1 when new sessions start read-only although this is no replica."
        ),
        availability.ROLE_AS_EXPECTED,
        Measure("start_time_seconds", "seconds", "When the server started, Unix time."),
    ),
    thresholds=(
        availability.up(
            Text(
                "Check the service and the last lines of the server log; if its process is there "
                "but silent, check its state (T or D), the storage and the network."
            )
        ),
        availability.role(
            Text("{target} should be a {expected} but is a {actual}"),
            Text(
                "Make sure the cluster has exactly one primary and applications write to it; if "
                "this switch was intended, change the target's role in the configuration."
            ),
        ),
        Threshold(
            "read_only",
            Text("{target} refuses writes: new transactions start read only"),
            Text(
                "Find default_transaction_read_only (ALTER SYSTEM, ALTER DATABASE, ALTER ROLE) "
                "and who set it."
            ),
            "role",
            critical=1.0,
            raise_after=2,
        ),
    ),
    read=read,
    runbook=Text(
        "1. Is there a postgres process? State T: `kill -CONT PID`; D: the storage. 2. Last "
        "lines of the server log. 3. Room on the data and WAL volumes. 4. pg_hba.conf and "
        "the number of connections. 5. The network."
    ),
    judged_on_failure="up",
    exhibits_when_down=when_down,
)
