"""The same probes on real MySQL 9, where names, tables and rights differ from MariaDB's.

Opt-in (``make test-matrix``): the server is unpacked from a suite that moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from probes import FailureKind, ProbeError, Severity, registry
from probes.mysql.connection.connect import connect
from probes.wire import deadline
from tests.probes.mysql.asking import (
    BUDGET,
    NOW,
    english,
    findings,
    measured,
    probe,
    settled,
    shown,
    watched,
)
from tests.probes.mysql.conftest import declared_grants
from tests.probes.mysql.test_transactions_live import SECRET, deadlock
from tests.servers import mysql
from tests.servers.machine import free_port
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD, Holder, Waiter
from tests.servers.mariadb import eventually as until
from tests.servers.mysql import MySQL, MySQLPair
from tests.support.evidence import told

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]

OWN = [each.name for each in registry.probes_for("mysql") if each.engine == "mysql"]


@pytest.fixture(scope="module")
def both() -> Iterator[MySQLPair]:
    with mysql.pair(declared_grants("mysql")) as made:
        yield made


@pytest.fixture(scope="module")
def alone() -> Iterator[MySQL]:
    """A server of its own whose settings a test may spoil; with an admin port."""
    own = ["admin-address=127.0.0.1", f"admin-port={free_port()}", "max-connections=10"]
    with mysql.servers(1, own) as (made,):
        for line in declared_grants("mysql"):
            made.sql(line.format(user=f"'{MONITOR}'@'%'"))
        made.sql(
            f"ALTER USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'",
            "CREATE DATABASE app",
        )
        yield made


@pytest.mark.parametrize("side", ["primary", "replica"])
def test_no_probe_is_blind_under_exactly_the_declared_rights(both: MySQLPair, side: str) -> None:
    server = both.primary if side == "primary" else both.replica
    with watched(server.target(role=side)) as agent:
        for name in OWN:
            taken = agent.reading(name)
            assert taken.failure is None, (name, taken.failure)


def test_no_probe_waits_two_seconds_behind_a_locked_table(both: MySQLPair) -> None:
    both.primary.sql(
        "CREATE TABLE app.terkunci (id INT AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO app.terkunci VALUES (500)",
    )
    holder = Holder(both.primary, "LOCK TABLES app.terkunci WRITE")
    alter = Waiter(both.primary, "ALTER TABLE app.terkunci ADD COLUMN v INT")
    try:
        both.primary.metadata_waits(1)
        with watched(both.primary.target(role="primary")) as agent:
            taken = [agent.reading(name) for name in OWN]
            cause = agent.values("blocked_sessions")["blocked_sessions", ""].detail
    finally:
        alter.gone()
        holder.let_go()
    assert [t.probe for t in taken if t.duration_seconds >= 2 or t.failure is not None] == []
    assert cause["blocker_id"] == holder.id
    assert cause["suspected"] is False


def test_the_servers_own_thread_in_the_queue_is_no_session_that_waits(both: MySQLPair) -> None:
    """InnoDB's statistics thread wants a much changed table too, some 10 s later."""
    both.primary.sql(
        "CREATE TABLE app.statistik (id INT PRIMARY KEY, v INT)",
        "INSERT INTO app.statistik WITH RECURSIVE n(id) AS "
        "(SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 500) SELECT id, 0 FROM n",
    )
    holder = Holder(both.primary, "UPDATE app.statistik SET v = v + 1")
    alter = Waiter(both.primary, "ALTER TABLE app.statistik ADD COLUMN w INT")
    asked = (
        "SELECT count(*) AS n FROM performance_schema.threads "
        "WHERE PROCESSLIST_STATE = 'Waiting for table metadata lock' AND PROCESSLIST_ID IS NULL"
    )
    try:
        both.primary.metadata_waits(1)
        until(lambda: both.primary.sql(asked)[0]["n"] == 1, "the statistics thread waits too")
        found = measured("blocked_sessions", both.primary.target())["blocked_sessions"]
        (tree,) = shown("blocked_sessions", both.primary.target())
    finally:
        alter.gone()
        holder.let_go()
    assert (found.value, found.detail["blocker_id"]) == (1, holder.id)
    assert len(tree.rows) == 2


def test_a_failed_worker_names_the_table_and_not_the_person(both: MySQLPair) -> None:
    both.break_sql_thread("app.pegawai")
    try:
        target = both.replica.target(role="replica")
        verdict = findings("replication_lag", target)["replication_sql_running"]
        exhibits = shown("replication_lag", target)
    finally:
        both.mend_sql_thread("app.pegawai")
    assert verdict.severity is Severity.CRITICAL
    assert "1062" in verdict.title.en
    assert "pegawai" in verdict.title.en
    assert "3171234567890001" not in verdict.title.en + repr(exhibits)
    assert exhibits[-1].rows, "the workers are shown"


def test_the_replica_is_known_by_name_and_uuid(both: MySQLPair) -> None:
    with watched(both.primary.target(role="primary")) as agent:
        assert list(agent.values("replicas")) == [("replica_connected", "127.0.0.1")]
        uuid = both.replica.sql("SELECT @@server_uuid AS u")[0]["u"]
        (readers,) = shown("replicas", agent.target)
    assert [row[readers.columns.index("uuid")] for row in readers.rows] == [uuid]


def test_an_errant_transaction_is_told_by_the_heartbeat(both: MySQLPair) -> None:
    for line in registry.engine("mysql").options["canary"]:
        if line.flavour == "mysql":
            both.primary.sql(line.sql.format(user=f"'{MONITOR}'@'%'"))
    both.replica.sql("CREATE DATABASE nyasar")  # before anybody watched
    assert measured("write_canary", both.primary.target(role="primary"))["canary_ok"].value == 1
    target = both.replica.target(role="replica")
    until(lambda: "heartbeat_age_seconds" in measured("write_canary", target), "the row arrived")
    verdict = findings("errant_transactions", target)["errant_transactions"]
    assert verdict.severity is Severity.WARNING
    uuid = both.replica.sql("SELECT @@server_uuid AS u")[0]["u"]
    assert f"{uuid}:1" in verdict.title.en


def test_a_deadlock_is_counted_and_told_without_its_data(both: MySQLPair) -> None:
    both.primary.sql(
        "CREATE TABLE app.gaji (id INT PRIMARY KEY, nik VARCHAR(20), v INT)",
        f"INSERT INTO app.gaji VALUES (1, '{SECRET}', 1), (2, '{SECRET}', 2)",
    )
    with watched(both.primary.target()) as agent:
        agent.values("deadlocks")
        deadlock(both.primary, "app.gaji")
        found = agent.a_rate("deadlocks", "deadlocks_per_minute", lambda value: value > 0)
    assert "app.gaji" in english(found.detail["said"])
    (exhibit,) = shown("deadlocks", both.primary.target())
    assert sorted(row[-1] for row in exhibit.rows) == ["", "rolled back"]
    assert SECRET not in repr(exhibit)


def test_a_counter_that_runs_out_is_named(both: MySQLPair) -> None:
    both.primary.sql(
        "CREATE TABLE app.surat (no TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO app.surat VALUES (250)",
    )
    with watched(both.primary.target()) as agent:
        found = agent.values("auto_increment")
    assert found["auto_increment_used_ratio", "app.surat"].value == pytest.approx(251 / 255)
    assert found["auto_increment_used_ratio", "app.surat"].detail["column"] == "no"


def test_an_idle_transaction_is_named_and_replications_own_threads_are_not(
    both: MySQLPair,
) -> None:
    holder = Holder(both.primary, "UPDATE app.gaji SET v = 8 WHERE id = 1")
    try:
        found = measured("idle_in_transaction", both.primary.target())
    finally:
        holder.let_go()
    assert found["idle_in_transaction_sessions"].value == 1
    assert f"session {holder.id} " in english(found["idle_in_transaction_seconds"].detail["who"])
    until(both.caught_up, "the replica has everything")
    assert measured("long_transactions", both.replica.target())[
        "longest_transaction_seconds"
    ].value == 0  # fmt: skip


def test_semi_sync_under_its_new_names(both: MySQLPair) -> None:
    both.primary.sql(
        "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
        "SET GLOBAL rpl_semi_sync_source_enabled = ON",
    )
    verdict = findings("semi_sync", both.primary.target(), times=2)["semi_sync_active"]
    both.primary.sql(
        "SET GLOBAL rpl_semi_sync_source_enabled = OFF", "UNINSTALL PLUGIN rpl_semi_sync_source"
    )
    assert verdict.severity is Severity.WARNING
    assert "0 replicas connected" in verdict.title.en


def test_a_crash_is_told_from_a_restart(alone: MySQL) -> None:
    alone.stop()
    alone.start()
    planned = measured("restart", alone.target())
    assert planned["crash_recovered"].value == 0
    alone.kill()
    alone.start()
    crashed = measured("restart", alone.target())
    assert crashed["crash_recovered"].value == 1
    assert "after a crash" in english(crashed["uptime_seconds"].detail["after"])


def test_a_crash_is_history_after_the_next_orderly_start_also_when_nobody_looked(
    alone: MySQL,
) -> None:
    alone.kill()
    alone.start()
    with watched(alone.target()) as agent:
        assert agent.value("restart", "crash_recovered") == 1
        last_seen = agent.value("restart", "uptime_seconds") or 0.0
        alone.stop()
        alone.start()
        until(lambda: _uptime(alone) > last_seen, "it is up for longer than it was when last seen")
        agent.reading("restart")  # finds its session gone
        assert agent.value("restart", "crash_recovered") == 0


def _uptime(server: MySQL) -> float:
    return float(server.sql("SHOW GLOBAL STATUS LIKE 'Uptime'")[0]["Value"])


def test_a_full_server_is_watched_through_its_admin_port(alone: MySQL) -> None:
    port = str(alone.sql("SELECT @@admin_port AS p")[0]["p"])
    alone.sql(f"GRANT SERVICE_CONNECTION_ADMIN ON *.* TO '{MONITOR}'@'%'")
    target = alone.target(options={"admin_port": port})
    alone.sql("CREATE USER 'ramai'@'%' IDENTIFIED BY 'rahasia-uji'")
    crowd: list[pymysql.connections.Connection[Any]] = [
        pymysql.connect(host="127.0.0.1", port=alone.port, user="ramai", password="rahasia-uji")
        for _ in range(10)
    ]
    crowd.append(alone.admin())  # the one slot that MySQL keeps for whoever administers
    try:
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            connect(alone.target(), "test")
        with watched(target) as agent:
            found = agent.values("availability") | agent.values("login")
            evidence = agent.owner.gather(probe("login"), NOW)
    finally:
        for each in crowd:
            each.close()
    assert evidence is not None
    holders = told(evidence.exhibits[0])
    pooled = dict(zip(holders.columns, holders.rows[0], strict=True))
    assert (pooled["account"], pooled["sessions"], pooled["idle"]) == ("ramai", "10", "10")
    assert int(pooled["idle seconds"]) >= 0
    assert caught.value.failure.kind is FailureKind.EXHAUSTED
    assert (found["up", ""].value, found["fresh_login_ok", ""].value) == (1, 0)


def test_offline_mode_is_said_to_be_one(alone: MySQL) -> None:
    alone.sql(f"REVOKE SERVICE_CONNECTION_ADMIN ON *.* FROM '{MONITOR}'@'%'")
    alone.sql("SET GLOBAL offline_mode = ON")
    try:
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            connect(alone.target(), "test")
    finally:
        alone.sql("SET GLOBAL offline_mode = OFF")
    assert caught.value.failure.kind is FailureKind.REFUSED
    assert "offline_mode" in caught.value.failure.hint.en


def test_a_disabled_redo_log_is_severe(alone: MySQL) -> None:
    alone.sql("ALTER INSTANCE DISABLE INNODB REDO_LOG")
    try:
        verdict = findings("durability_settings", alone.target())["emergency_settings"]
    finally:
        alone.sql("ALTER INSTANCE ENABLE INNODB REDO_LOG")
    assert verdict.severity is Severity.CRITICAL
    assert "innodb_redo_log = OFF" in verdict.title.en


def test_with_performance_schema_off_a_row_queue_is_still_seen(alone: MySQL) -> None:
    alone.stop()
    alone.with_option("performance-schema=OFF")
    alone.start()
    alone.sql(
        "CREATE TABLE app.antre (id INT PRIMARY KEY, v INT)", "INSERT INTO app.antre VALUES (1, 1)"
    )
    holder = Holder(alone, "UPDATE app.antre SET v = 2 WHERE id = 1")
    waiter = Waiter(alone, "UPDATE app.antre SET v = 3 WHERE id = 1")
    try:
        alone.row_waits(1)
        settled()
        found = measured("blocked_sessions", alone.target())["blocked_sessions"]
    finally:
        waiter.gone()
        holder.let_go()
    assert found.value == 1
    assert found.detail["suspected"] is True
    assert found.detail["blocker_id"] == holder.id


def test_a_group_of_one_is_online_and_one_that_left_is_not(both: MySQLPair) -> None:
    with mysql.servers(1) as (member,):
        for line in declared_grants("mysql"):
            member.sql(line.format(user=f"'{MONITOR}'@'%'"))
        member.sql(
            f"ALTER USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'",
            "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
            "SET GLOBAL group_replication_group_name = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'",
            f"SET GLOBAL group_replication_local_address = '127.0.0.1:{free_port()}'",
            "SET GLOBAL group_replication_bootstrap_group = ON",
            "START GROUP_REPLICATION",
        )
        with watched(member.target()) as agent:
            until(lambda: agent.value("group_replication", "group_member_online") == 1, "ONLINE")
            assert agent.value("group_replication", "group_members_online") == 1
            member.sql("STOP GROUP_REPLICATION")
            verdict = agent.findings("group_replication", times=2)["group_member_online"]
    assert verdict.severity is Severity.CRITICAL
    assert "OFFLINE" in verdict.title.en
