"""Errant transactions, semi-synchronous replication and Galera, against real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import Severity, registry
from tests.probes.mysql.asking import measured, shown, watched
from tests.servers import galera
from tests.servers.galera import Node
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD, MariaDB, MariaDBPair, Waiter
from tests.servers.mariadb import eventually as until

pytestmark = pytest.mark.servers


# --- errant transactions --------------------------------------------------------------------


@pytest.fixture
def lax(pair: MariaDBPair) -> Iterator[MariaDBPair]:
    """The pair without strict numbering, and its replica rebuilt afterwards."""
    pair.replica.sql("SET GLOBAL gtid_strict_mode = OFF")
    yield pair
    pair.replica.sql("DROP DATABASE IF EXISTS nyasar", "STOP SLAVE", "RESET MASTER")
    there = pair.primary.sql("SELECT @@gtid_binlog_pos AS p")[0]["p"]
    pair.replica.sql(
        f"SET GLOBAL gtid_slave_pos = '{there}'", "SET GLOBAL gtid_strict_mode = ON", "START SLAVE"
    )
    until(pair.running, "both threads run again")


def test_a_primary_has_no_errant_transactions(primary: MariaDB) -> None:
    assert measured("errant_transactions", primary.target(role="primary")) == {}


def test_a_write_on_the_replica_is_errant_and_stays_so(lax: MariaDBPair) -> None:
    with watched(lax.replica.target(role="replica")) as agent:
        assert agent.value("errant_transactions", "errant_transactions") == 0
        lax.replica.sql("CREATE DATABASE nyasar")
        assert agent.value("errant_transactions", "errant_transactions") == 1
        # the primary goes on and passes the number: the hole in the history remains
        lax.primary.sql("CREATE OR REPLACE TABLE app.maju (id INT)", "DROP TABLE app.maju")
        until(
            lambda: (
                lax.primary.sql("SELECT @@gtid_binlog_pos AS p")[0]["p"]
                == lax.replica.sql("SELECT @@gtid_slave_pos AS p")[0]["p"]
            ),
            "the replica follows on",
        )
        verdict = agent.findings("errant_transactions")["errant_transactions"]
    assert verdict.severity is Severity.WARNING
    assert "0-2:" in verdict.title.en


def test_a_replica_that_takes_writes_is_told_before_somebody_writes(pair: MariaDBPair) -> None:
    def verdict(role: str) -> Severity | None:
        with watched(pair.replica.target(role=role)) as agent:
            found = agent.findings("errant_transactions", times=2).get("replica_writable")
        return found.severity if found else None

    before = pair.replica.sql("SELECT @@read_only AS it")[0]["it"]
    try:
        pair.replica.sql("SET GLOBAL read_only = 0")
        assert verdict("replica") is Severity.WARNING
        assert verdict("primary") is None, "a member of a ring is written to"
        pair.replica.sql("SET GLOBAL read_only = 1")
        assert verdict("replica") is Severity.CLEAR
    finally:
        pair.replica.sql(f"SET GLOBAL read_only = {before}")


def test_the_heartbeat_tells_a_transaction_older_than_our_watch(lax: MariaDBPair) -> None:
    for line in registry.engine("mysql").options["canary"]:
        if line.flavour == "mariadb":
            lax.primary.sql(line.sql.format(user=f"'{MONITOR}'@'%'"))
    try:
        lax.replica.sql("CREATE DATABASE nyasar")
        lax.primary.sql("CREATE OR REPLACE TABLE app.maju (id INT)", "DROP TABLE app.maju")
        assert measured("write_canary", lax.primary.target(role="primary"))["canary_ok"].value == 1
        target = lax.replica.target(role="replica")
        until(
            lambda: "heartbeat_age_seconds" in measured("write_canary", target),
            "the row is on the replica",
        )
        found = measured("errant_transactions", target)["errant_transactions"]
        (both,) = shown("errant_transactions", target)
    finally:
        lax.primary.sql(
            "DROP DATABASE sigap",
            f"REVOKE SELECT, INSERT, UPDATE ON sigap.heartbeat FROM '{MONITOR}'@'%'",
        )
    assert found.value >= 1
    assert [row[0] for row in both.rows] == ["this server", "heartbeat"]


# --- semi-synchronous replication -----------------------------------------------------------


@pytest.fixture
def semi(pair: MariaDBPair) -> Iterator[MariaDBPair]:
    """Both sides switched on, with a timeout that never expires in the test."""
    pair.primary.sql(
        "SET GLOBAL rpl_semi_sync_master_timeout = 600000",
        "SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON",
        "SET GLOBAL rpl_semi_sync_master_enabled = ON",
    )
    pair.replica.sql("SET GLOBAL rpl_semi_sync_slave_enabled = ON")
    pair.replica.sql("STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD")
    until(
        lambda: measured("semi_sync", pair.primary.target())["semi_sync_clients"].value == 1,
        "the replica is a semi-synchronous one",
    )
    yield pair
    pair.primary.sql("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
    pair.replica.sql("SET GLOBAL rpl_semi_sync_slave_enabled = OFF")
    pair.replica.sql("STOP SLAVE", "START SLAVE")
    until(pair.running, "both threads run again")
    until(pair.caught_up, "the replica has everything")


def test_where_semi_sync_is_off_nothing_is_said(primary: MariaDB) -> None:
    assert measured("semi_sync", primary.target()) == {}


def test_semi_sync_at_work_is_active_on_both_sides(semi: MariaDBPair) -> None:
    assert measured("semi_sync", semi.primary.target())["semi_sync_active"].value == 1
    found = measured("semi_sync", semi.replica.target())
    assert found["semi_sync_replica_active"].value == 1


def test_commits_that_hang_for_a_replicas_word_are_critical(semi: MariaDBPair) -> None:
    semi.replica.sql("STOP SLAVE IO_THREAD")
    hanging = Waiter(semi.primary, "CREATE OR REPLACE TABLE app.tertahan (id INT)")
    try:
        until(
            lambda: (
                measured("semi_sync", semi.primary.target())["semi_sync_waiting_sessions"].value
                >= 1
            ),
            "a commit waits for the replica",
        )
        with watched(semi.primary.target(role="primary")) as agent:
            verdicts = agent.findings("semi_sync", times=3)
    finally:
        semi.primary.sql("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        hanging.gone()
    assert verdicts["semi_sync_stalled_sessions"].severity is Severity.CRITICAL
    assert verdicts["semi_sync_active"].severity is Severity.WARNING
    assert "0 replicas connected" in verdicts["semi_sync_active"].title.en


# --- Galera ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A cluster of one real Galera node."""
    with galera.nodes(1) as (made,):
        made.sql(
            f"CREATE USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'",
            f"GRANT PROCESS, SLAVE MONITOR ON *.* TO '{MONITOR}'@'%'",
        )
        yield made


def test_a_node_in_order_is_ready_and_synced(node: Node) -> None:
    with watched(node.target()) as agent:
        until(lambda: agent.value("galera", "galera_synced") == 1, "the node is synced")
        paused = agent.a_rate("galera", "galera_paused_ratio", lambda value: value >= 0)
        found = agent.values("galera")
    assert found["galera_ready", ""].value == 1
    assert found["galera_nodes", ""].value == 1
    assert [key for key in found if key[0] == "galera_member"] == [("galera_member", node.address)]
    assert paused.value < 0.5


def test_a_node_outside_the_primary_component_is_critical(node: Node) -> None:
    with watched(node.target()) as agent:
        agent.values("galera")
        # it leaves its cluster and looks for one where nobody is
        away = Waiter(node, "SET GLOBAL wsrep_cluster_address = 'gcomm://127.0.0.1:1'")
        try:
            until(lambda: agent.value("galera", "galera_ready") == 0, "the node is cut off")
            verdict = agent.findings("galera", times=2)["galera_ready"]
        finally:
            away.gone()
            node.sql("SET GLOBAL wsrep_cluster_address = 'gcomm://'")
        until(lambda: agent.value("galera", "galera_ready") == 1, "the node is back")
    assert verdict.severity is Severity.CRITICAL
    assert "outside the primary component (" in verdict.title.en
