"""With exactly the printed lines no probe is blind, and the account can change nothing."""

from __future__ import annotations

import psycopg2
import pytest

from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.servers.pgbouncer import DATABASE, PgBouncer
from tests.servers.postgresql import MONITOR
from tests.support.builders import NOON

pytestmark = pytest.mark.servers

OURS = [probe for probe in probes_for("pgbouncer") if probe.engine == "pgbouncer"]


def test_no_probe_is_blind_under_exactly_the_printed_lines(pooler: PgBouncer) -> None:
    owner = Owner(pooler.target(database=DATABASE), engine("pgbouncer"))
    try:
        with pooler.holding(2), pooler.queueing(1):
            for _ in range(2):
                for reading in owner.round(OURS, lambda: NOON):
                    assert reading.failure is None, (reading.probe, reading.failure)
            for probe in OURS:
                evidence = owner.gather(probe, NOON)
                if probe.exhibits is not None:
                    assert evidence is not None
                    assert all(each.columns or each.note for each in evidence.exhibits)
        assert owner.cost.sessions == 1
    finally:
        owner.drop()


@pytest.mark.parametrize("command", [f"PAUSE {DATABASE}", f"DISABLE {DATABASE}", "SHUTDOWN"])
def test_the_account_may_look_and_change_nothing(pooler: PgBouncer, command: str) -> None:
    connection = pooler.connect("pgbouncer", MONITOR)
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error, match="admin access"):
            cursor.execute(command)
    finally:
        connection.close()
