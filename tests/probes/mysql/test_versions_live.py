"""The probes on the oldest and the newest available MariaDB; opt-in (``make test-matrix``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import Severity, registry
from tests.probes.mysql.asking import findings, measured, settled, watched
from tests.probes.mysql.conftest import declared_grants
from tests.servers import mariadb_versions
from tests.servers.mariadb import Holder, MariaDBPair, Waiter
from tests.support.selection import impossible_here

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]

OWN = [each.name for each in registry.probes_for("mysql") if each.engine == "mysql"]


@pytest.fixture(scope="module", params=sorted(mariadb_versions.VERSIONS))
def both(request: pytest.FixtureRequest) -> Iterator[MariaDBPair]:
    with mariadb_versions.pair(request.param, declared_grants()) as made:
        yield made


@pytest.mark.parametrize("side", ["primary", "replica"])
def test_no_probe_is_blind_under_exactly_the_declared_rights(both: MariaDBPair, side: str) -> None:
    server = both.primary if side == "primary" else both.replica
    with watched(server.target(role=side)) as agent:
        for name in OWN:
            taken = agent.reading(name)
            assert taken.failure is None, (name, taken.failure)


def test_a_stopped_applier_is_named_with_its_error(both: MariaDBPair) -> None:
    both.break_sql_thread("app.pegawai")
    try:
        target = both.replica.target(role="replica")
        verdict = findings("replication_lag", target)["replication_sql_running"]
        found = measured("replication_lag", target)
    finally:
        both.mend_sql_thread("app.pegawai")
    assert verdict.severity is Severity.CRITICAL
    assert "1062" in verdict.title.en
    assert "replication_lag_seconds" not in found, "NULL is not 0"
    assert found["replication_gap_transactions"].value >= 1


def test_who_holds_a_row_is_named(both: MariaDBPair) -> None:
    both.primary.sql(
        "CREATE TABLE app.antre (id INT PRIMARY KEY, v INT)", "INSERT INTO app.antre VALUES (1, 1)"
    )
    holder = Holder(both.primary, "UPDATE app.antre SET v = 2 WHERE id = 1")
    waiter = Waiter(both.primary, "UPDATE app.antre SET v = 3 WHERE id = 1")
    try:
        both.primary.row_waits(1)
        settled()
        found = measured("blocked_sessions", both.primary.target())["blocked_sessions"]
    finally:
        waiter.gone()
        holder.let_go()
    assert found.value == 1
    assert found.detail["blocker_id"] == holder.id


def test_logs_that_wait_for_a_replica_to_be_removed_are_told_where_none_is(
    both: MariaDBPair,
) -> None:
    server = both.primary
    name = "slave_connections_needed_for_purge"
    if not server.sql(f"SHOW GLOBAL VARIABLES LIKE '{name}'"):
        impossible_here(f"{name} came with MariaDB 11.4")
    server.sql(
        "SET GLOBAL binlog_expire_logs_seconds = 864000", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS"
    )
    assert measured("binlogs", server.target())["binlog_kept_for_ever"].value == 0
    server.sql(f"SET GLOBAL {name} = 2")
    try:
        verdict = findings("binlogs", server.target())["binlog_kept_for_ever"]
    finally:
        server.sql(f"SET GLOBAL {name} = 1", "SET GLOBAL binlog_expire_logs_seconds = 0")
    assert verdict.severity is Severity.WARNING
    assert f"{name} asks for 2 replicas, 1 are connected" in verdict.title.en
