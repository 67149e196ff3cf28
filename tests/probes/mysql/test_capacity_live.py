"""Connections, counters, durability, memory and logs of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pymysql
import pytest

from probes import FailureKind, Severity, registry
from tests.probes.mysql.asking import english, findings, measured, reading, settled, shown, watched
from tests.servers import mariadb
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD, Holder, MariaDB, Waiter
from tests.servers.mariadb import eventually as until

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def small() -> Iterator[MariaDB]:
    """A server of its own whose settings a test may spoil."""
    with mariadb.servers(1, ["innodb-log-file-size=4M", "innodb-buffer-pool-size=6M"]) as (made,):
        made.sql(
            f"CREATE USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'",
            f"GRANT PROCESS, SLAVE MONITOR, BINLOG MONITOR ON *.* TO '{MONITOR}'@'%'",
            "CREATE DATABASE app",
        )
        yield made


# --- connections ----------------------------------------------------------------------------


def test_who_fills_the_slots_is_named(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'simpeg'@'%' IDENTIFIED BY 'rahasia-uji'")
    with ExitStack() as pool:
        for _ in range(52):
            pool.enter_context(
                pymysql.connect(
                    host="127.0.0.1", port=primary.port, user="simpeg", password="rahasia-uji"
                )
            )
        verdict = findings("connections", primary.target(), times=2)["connections_used_ratio"]
        (exhibit,) = shown("connections", primary.target())
    assert verdict.severity in {Severity.WARNING, Severity.CRITICAL}
    assert "simpeg@127.0.0.1: 52, 52 of them idle" in verdict.title.en
    assert exhibit.columns == ("account", "host", "sessions", "idle", "idle seconds")
    assert exhibit.rows[0][:4] == ("simpeg", "127.0.0.1", "52", "52")
    assert 0 <= int(str(exhibit.rows[0][4])) < 60


def test_an_account_at_its_own_limit_is_named(small: MariaDB) -> None:
    small.sql("CREATE OR REPLACE USER 'siak'@'%' IDENTIFIED BY 'rahasia-uji'")
    small.stop()
    small.with_option("max-user-connections=5")
    small.start()
    with ExitStack() as pool:
        for _ in range(5):
            pool.enter_context(
                pymysql.connect(
                    host="127.0.0.1", port=small.port, user="siak", password="rahasia-uji"
                )
            )
        verdict = findings("connections", small.target(), times=2)["account_connections_used_ratio"]
    small.stop()
    small.with_option("max-user-connections=0")
    small.start()
    assert verdict.severity is Severity.CRITICAL
    assert "account siak uses 5 of its 5" in verdict.title.en


# --- AUTO_INCREMENT -------------------------------------------------------------------------


def test_a_counter_that_runs_out_is_named_with_its_column(small: MariaDB) -> None:
    small.sql(
        "CREATE OR REPLACE TABLE app.surat (no TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO app.surat VALUES (250)",
        "CREATE OR REPLACE TABLE app.lega (id BIGINT AUTO_INCREMENT PRIMARY KEY)",
        "INSERT INTO app.lega VALUES (100000)",
        # the counter is the second column: the first cannot hold its numbers
        "CREATE OR REPLACE TABLE app.ganda (wilayah TINYINT, id SMALLINT AUTO_INCREMENT, "
        "PRIMARY KEY (wilayah, id), KEY (id))",
        "INSERT INTO app.ganda VALUES (1, 30000)",
        # the first could hold them, and would be nearly full
        "CREATE OR REPLACE TABLE app.lapang (wilayah SMALLINT, id BIGINT AUTO_INCREMENT, "
        "PRIMARY KEY (wilayah, id), KEY (id))",
        "INSERT INTO app.lapang VALUES (1, 32000)",
    )
    with watched(small.target()) as agent:
        found = agent.values("auto_increment")
        verdict = agent.findings("auto_increment")
    assert found["auto_increment_used_ratio", "app.surat"].value == pytest.approx(251 / 255)
    assert found["auto_increment_used_ratio", "app.ganda"].value == pytest.approx(30001 / 32767)
    assert found["auto_increment_used_ratio", "app.ganda"].detail["column"] == "id"
    assert ("auto_increment_used_ratio", "app.lega") not in found
    assert ("auto_increment_used_ratio", "app.lapang") not in found
    assert "app." in verdict["auto_increment_used_ratio"].title.id
    (exhibit,) = shown("auto_increment", small.target())
    assert exhibit.rows[0][:2] == ("app.surat", "no")


# --- durability -----------------------------------------------------------------------------


def test_settings_that_lose_commits_are_named_with_what_they_cost(small: MariaDB) -> None:
    small.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 0", "SET GLOBAL sync_binlog = 0")
    verdict = findings("durability_settings", small.target())["unsafe_settings"]
    assert verdict.severity is Severity.WARNING
    assert "innodb_flush_log_at_trx_commit = 0 (the last second" in verdict.title.en
    assert "sync_binlog = 0" in verdict.title.id
    small.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1", "SET GLOBAL sync_binlog = 1")
    assert measured("durability_settings", small.target())["unsafe_settings"].value == 0


def test_a_server_in_forced_recovery_is_critical(small: MariaDB) -> None:
    small.stop()
    small.with_option("innodb-force-recovery=1")
    small.start()
    try:
        verdict = findings("durability_settings", small.target())["emergency_settings"]
    finally:
        small.stop()
        small.with_option("innodb-force-recovery=0")
        small.start()
    assert verdict.severity is Severity.CRITICAL
    assert "innodb_force_recovery = 1" in verdict.title.id


# --- memory and temporary tables ------------------------------------------------------------


def test_queries_that_spill_to_disk_are_counted(small: MariaDB) -> None:
    spill = (
        "SELECT count(*) FROM (SELECT DISTINCT a.COLUMN_TYPE, a.COLUMN_COMMENT FROM "
        "information_schema.COLUMNS a LIMIT 5) x"
    )
    with watched(small.target()) as agent:
        agent.values("temp_tables")
        for _ in range(20):
            small.sql(spill)
        found = agent.a_rate("temp_tables", "temp_disk_tables_per_second", lambda rate: rate > 1)
    assert found.detail["share"] != "0%"


def test_a_working_set_beyond_memory_is_told_by_its_misses(small: MariaDB) -> None:
    small.sql(
        "CREATE OR REPLACE TABLE app.arsip (id INT PRIMARY KEY, isi CHAR(250)) ENGINE=InnoDB",
        "INSERT INTO app.arsip SELECT seq, repeat('x', 250) FROM app.seq_1_to_60000",
    )
    with watched(small.target()) as agent:

        def missing() -> bool:
            for _ in range(5):
                small.sql("SELECT sum(length(isi)) FROM app.arsip")
            return (agent.value("buffer_pool", "buffer_pool_miss_ratio") or 0) > 0

        until(missing, "a table three times the buffer pool is read from disk")
        assert (agent.value("buffer_pool", "buffer_pool_reads_per_second") or 1) > 0


# --- logs -----------------------------------------------------------------------------------


def test_binary_logs_that_nothing_removes_are_told(small: MariaDB) -> None:
    small.sql("FLUSH BINARY LOGS", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    verdict = findings("binlogs", small.target())["binlog_kept_for_ever"]
    assert verdict.severity is Severity.WARNING
    small.sql("SET GLOBAL binlog_expire_logs_seconds = 864000")
    found = measured("binlogs", small.target())
    assert found["binlog_retention_seconds"].value == 864000
    assert found["binlog_kept_for_ever"].value == 0
    assert found["binlog_bytes"].value > 0
    assert found["binlog_files"].value >= 4


def test_a_redo_log_that_fills_is_told(small: MariaDB) -> None:
    with watched(small.target()) as agent:
        before = agent.value("redo_log", "redo_log_used_ratio")
        small.sql(
            "CREATE OR REPLACE TABLE app.redo (id INT PRIMARY KEY, isi CHAR(250)) ENGINE=InnoDB",
            "INSERT INTO app.redo SELECT seq, repeat('y', 250) FROM app.seq_1_to_4000",
        )
        after = agent.value("redo_log", "redo_log_used_ratio")
        agent.a_rate("redo_log", "redo_log_waits_per_second", lambda rate: rate >= 0)
    assert before is not None
    assert after is not None
    assert 0 <= before < after < 1


# --- rights and manners ---------------------------------------------------------------------


def test_no_probe_is_blind_under_exactly_the_declared_rights(primary: MariaDB) -> None:
    with watched(primary.target(role="primary")) as agent:
        for each in registry.probes_for("mysql"):
            if each.engine == "mysql":
                taken = agent.reading(each.name)
                assert taken.failure is None, (each.name, taken.failure)


def test_the_binary_logs_need_their_right_and_say_so(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'kosong'@'%' IDENTIFIED BY 'rahasia-uji'")
    taken = reading("binlogs", primary.target(user="kosong"))
    assert taken.failure is not None
    assert taken.failure.kind is FailureKind.BLIND
    assert "GRANT BINLOG MONITOR ON *.* TO 'kosong'@'%';" in taken.failure.hint.en


def test_no_probe_waits_two_seconds_behind_a_locked_table(primary: MariaDB) -> None:
    primary.sql(
        "CREATE OR REPLACE TABLE app.terkunci (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
        "INSERT INTO app.terkunci VALUES (500)",
    )
    holder = Holder(primary, "LOCK TABLES app.terkunci WRITE")
    alter = Waiter(primary, "ALTER TABLE app.terkunci ADD COLUMN v INT")
    try:
        primary.metadata_waits(1)
        with watched(primary.target(role="primary")) as agent:
            slow = {
                taken.probe: taken.duration_seconds
                for each in registry.probes_for("mysql")
                if each.engine == "mysql"
                for taken in [agent.reading(each.name)]
                if taken.duration_seconds >= 2 or taken.failure is not None
            }
    finally:
        alter.gone()
        holder.let_go()
    assert slow == {}


def test_a_transaction_cut_off_by_a_crash_is_not_a_prepared_one(small: MariaDB) -> None:
    small.sql(
        "CREATE OR REPLACE TABLE app.terputus (id INT PRIMARY KEY, v INT)",
        "INSERT INTO app.terputus VALUES (1, 0), (2, 0)",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
    )
    holder = Holder(small, "UPDATE app.terputus SET v = 1 WHERE id = 1")
    with small.admin() as preparing, preparing.cursor() as cursor:
        for each in (
            "XA START 'x1'", "UPDATE app.terputus SET v = 2 WHERE id = 2", "XA END 'x1'",
            "XA PREPARE 'x1'",  # takes the other's log to the disk as well
        ):  # fmt: skip
            cursor.execute(each)
        small.kill()
    holder.let_go()
    small.with_option("innodb-force-recovery=3")  # else InnoDB undoes it at once
    small.start()
    try:
        settled()
        (exhibit,) = shown("long_transactions", small.target())
        found = measured("long_transactions", small.target())["oldest_prepared_seconds"]
    finally:
        small.stop()
        small.with_option("innodb-force-recovery=0")
        small.start()
        small.sql("XA ROLLBACK 'x1'")
    assert sorted(row[0].split()[0] for row in exhibit.rows) == ["XA", "trx"]
    prepared = next(row[0] for row in exhibit.rows if row[0].startswith("XA"))
    assert f"{prepared.replace('XA', 'XA transaction')}, prepared" in english(found.detail["who"])
