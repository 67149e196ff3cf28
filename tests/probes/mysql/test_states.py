"""Rows and words of clusters, reports and settings that no server here gives, read rightly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from probes import Measurement, Row
from probes.mysql import auto_increment, durability_settings, galera, group_replication, semi_sync
from probes.mysql.ask import growth
from probes.mysql.binlogs import retention
from probes.mysql.channels import channel
from probes.mysql.deadlock_report import last
from probes.mysql.redo_log import checkpoint
from probes.mysql.workers import Worker, named
from tests.probes.mysql.test_channels import MARIADB, NEW


@dataclass
class Memory:
    """A session that only remembers."""

    memory: dict[str, Any] = field(default_factory=dict)


def by_name(found: Any) -> dict[str, Measurement]:
    return {each.measure: each for each in found}


# --- Group Replication ----------------------------------------------------------------------


def member(uuid: str, state: str) -> Row:
    return {
        "MEMBER_ID": uuid,
        "MEMBER_HOST": f"db-{uuid}",
        "MEMBER_PORT": 3306,
        "MEMBER_STATE": state,
    }


def test_a_member_that_left_is_missed_for_as_long_as_we_watch() -> None:
    session = Memory()
    whole = [member(each, "ONLINE") for each in "abc"]
    first = by_name(group_replication.group(whole, "a", session))  # type: ignore[arg-type]  # it asks only its memory
    assert first["group_members_missing"].value == 0
    two = [member("a", "ONLINE"), member("b", "UNREACHABLE")]
    later = by_name(group_replication.group(two, "a", session))  # type: ignore[arg-type]  # it asks only its memory
    assert later["group_members_missing"].value == 2
    assert "db-b:3306 UNREACHABLE" in str(later["group_members_missing"].detail["away"])


@pytest.mark.parametrize("state", ["ERROR", "OFFLINE"])
def test_a_member_that_is_out_speaks_for_itself_only(state: str) -> None:
    found = by_name(group_replication.group([member("a", state)], "a", Memory()))  # type: ignore[arg-type]  # it asks only its memory
    assert found["group_member_online"].value == 0
    assert found["group_member_online"].detail["state"] == state
    assert "group_members_missing" not in found


# --- semi-synchronous replication -----------------------------------------------------------


@pytest.mark.parametrize("name", ["source", "master"])
def test_semi_sync_is_read_under_old_and_new_names(name: str) -> None:
    switches = {f"rpl_semi_sync_{name}_enabled": "ON"}
    status = {
        f"rpl_semi_sync_{name}_status": "OFF",
        f"rpl_semi_sync_{name}_clients": "1",
        f"rpl_semi_sync_{name}_wait_sessions": "0",
        f"rpl_semi_sync_{name}_no_tx": "12",
    }
    found = by_name(semi_sync.states(switches, status))
    assert found["semi_sync_active"].value == 0, "it fell back although a replica is there"
    assert found["semi_sync_unconfirmed_transactions"].value == 12


# --- Galera ---------------------------------------------------------------------------------


def test_a_donor_is_ready_and_not_synced() -> None:
    status = {
        "wsrep_cluster_status": "Primary", "wsrep_ready": "ON", "wsrep_cluster_size": "2",
        "wsrep_local_state_comment": "Donor/Desynced", "wsrep_local_recv_queue": "140",
    }  # fmt: skip
    found = by_name(galera.states(status, most=3))
    assert (found["galera_ready"].value, found["galera_synced"].value) == (1, 0)
    assert found["galera_nodes_missing"].value == 1
    assert found["galera_receive_queue"].value == 140


# --- workers --------------------------------------------------------------------------------


def test_the_failed_workers_own_words_take_the_place_of_the_channels() -> None:
    before = channel({**NEW, "Last_SQL_Errno": 1756, "Last_SQL_Error": "see the worker"})
    after = named(before, [Worker(3, 1062, "Duplicate entry '?' for key 'pegawai.PRIMARY'", "a:9")])
    assert (after.sql_errno, after.sql_error.split(":")[0]) == (1062, "worker 3")
    assert named(before, []) is before


def test_the_gap_is_counted_under_both_algebras() -> None:
    assert channel(NEW).gap == 1
    assert channel({**MARIADB, "Using_Gtid": "Slave_Pos"}).gap == 1
    assert channel({**MARIADB, "Using_Gtid": "No"}).gap is None


# --- rates ----------------------------------------------------------------------------------


def test_a_restart_or_a_flush_yields_no_rate() -> None:
    session: Any = Memory()
    assert growth(session, {"uptime": 100, "n": 5}) == ({}, 0.0)
    assert growth(session, {"uptime": 100, "n": 9}) == ({}, 0.0), "no time has passed"
    assert growth(session, {"uptime": 110, "n": 25}) == ({"uptime": 10, "n": 20}, 10)
    assert growth(session, {"uptime": 4, "n": 1}) == ({}, 0.0), "restarted"
    assert growth(session, {"uptime": 14, "n": 2})[0]["n"] == 1
    assert growth(session, {"uptime": 24, "n": 0}) == ({}, 0.0), "FLUSH STATUS"


# --- settings -------------------------------------------------------------------------------


def test_mysqls_disabled_redo_log_is_severe() -> None:
    assert durability_settings.risks({}, "OFF")["innodb_redo_log"] == (2, "OFF")
    assert durability_settings.risks({}, "ON")["innodb_redo_log"][0] == 0


def test_a_doublewrite_that_only_detects_is_a_risk_and_sync_binlog_only_with_a_binlog() -> None:
    settings = {"innodb_doublewrite": "DETECT_ONLY", "sync_binlog": "0", "log_bin": "OFF"}
    found = durability_settings.risks(settings, "")
    assert found == {"innodb_doublewrite": (1, "DETECT_ONLY")}
    assert "sync_binlog" in durability_settings.risks({**settings, "log_bin": "ON"}, "")


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"binlog_expire_logs_seconds": "2592000"}, 2592000),
        ({"expire_logs_days": "10"}, 864000),
        ({"binlog_expire_logs_seconds": "0", "expire_logs_days": "0.000000"}, 0),
        ({"binlog_expire_logs_seconds": "2592000", "binlog_expire_logs_auto_purge": "OFF"}, 0),
    ],
)
def test_retention_is_read_under_every_name(settings: dict[str, str], seconds: float) -> None:
    assert retention(settings) == seconds


def test_the_checkpoint_is_read_under_both_flavours_names() -> None:
    mariadb = {"innodb_checkpoint_age": "500", "innodb_checkpoint_max_age": "1000"}
    mysql = {
        "innodb_redo_log_current_lsn": "9000", "innodb_redo_log_checkpoint_lsn": "8400",
        "innodb_redo_log_capacity_resized": "1000",
    }  # fmt: skip
    assert checkpoint(mariadb) == (500, 1000)
    assert checkpoint(mysql) == (600, 1000)
    assert checkpoint({}) == (None, None)


# --- AUTO_INCREMENT -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "is_unsigned", "most"),
    [
        (1, False, 127),
        (1, True, 255),
        (3, True, 16777215),
        (4, False, 2147483647),
        (8, True, 2**64 - 1),
    ],
)
def test_the_highest_number_of_an_integer(length: int, is_unsigned: bool, most: int) -> None:
    assert auto_increment.highest(length, is_unsigned) == most


def test_a_table_whose_column_cannot_be_told_is_left_out() -> None:
    tables = [{"id": 1, "name": b"app/a", "next": 300}, {"id": 2, "name": "app/b", "next": 300}]
    columns = [{"id": 1, "name": "kecil", "bytes": 1, "is_unsigned": 1}]
    firsts = [{"id": 1, "name": "kecil", "is_primary": 1}, {"id": 2, "name": "t", "is_primary": 1}]
    assert auto_increment.told(tables, columns, firsts) == []


# --- deadlocks ------------------------------------------------------------------------------

REPORT = (Path(__file__).parent / "deadlock_of_mysql.txt").read_text(encoding="utf-8")


def test_mysqls_report_is_read_without_its_records() -> None:
    found = last(REPORT)
    assert found is not None
    one, other = found.parties
    assert found.at == "2026-11-23 02:38:42"
    assert (one.connection, one.account, one.table, one.index, one.mode) == (
        26, "simpeg@10.0.0.5", "app.gaji", "nik", "S",
    )  # fmt: skip
    assert (other.account, other.table, other.rolled_back) == ("root@localhost", "app.dl", True)
    assert not one.rolled_back
    assert one.statement == "update app.dl set v=? where id=? and nama=?"
    assert found.tables == ("app.gaji", "app.dl")
    assert "rahasia" not in repr(found)


def test_a_server_without_a_deadlock_has_none() -> None:
    assert last("=====\nTRANSACTIONS\n------------\n") is None
