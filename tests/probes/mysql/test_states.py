"""Rows of clusters, reports and settings that no server here produces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from probes import Finding, Measurement, Reading, Row, Severity
from probes.judge import Judge
from probes.model import Memory
from probes.mysql.ask import growth
from probes.mysql.capacity import auto_increment, connections
from probes.mysql.clusters import galera, group_replication
from probes.mysql.clusters.groups import Group
from probes.mysql.connection import restart
from probes.mysql.locks.deadlock_report import last
from probes.mysql.replication import semi_sync
from probes.mysql.replication.binlogs import retention
from probes.mysql.replication.channels import channel
from probes.mysql.replication.workers import Worker, named
from probes.mysql.storage import durability_settings
from probes.mysql.storage.redo_log import checkpoint
from tests.probes.mysql.asking import NOW
from tests.probes.mysql.test_channels import MARIADB, NEW
from tests.probes.mysql.test_waits import MySQL9


@dataclass
class Remembering:
    """A session that only remembers."""

    memory: Memory = field(default_factory=Memory)


def by_name(found: Any) -> dict[str, Measurement]:
    return {each.measure: each for each in found}


# --- Group Replication ----------------------------------------------------------------------


def member(uuid: str, state: str, role: str = "SECONDARY") -> Row:
    return {
        "MEMBER_ROLE": role,
        "MEMBER_ID": uuid,
        "MEMBER_HOST": f"db-{uuid}",
        "MEMBER_PORT": 3306,
        "MEMBER_STATE": state,
    }


def test_who_takes_part_in_the_group_is_told_by_address() -> None:
    states = {"a": "ONLINE", "b": "RECOVERING", "c": "UNREACHABLE"}
    group = tuple(member(uuid, state) for uuid, state in states.items())
    found = [each for each in group_replication.states(Group("a", group)) if each.subject]
    assert [(each.measure, each.subject) for each in found] == [
        ("group_member", "db-a:3306"), ("group_member", "db-b:3306")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "role", "expected"),
    [
        ("ONLINE", "PRIMARY", "primary"),
        ("ONLINE", "SECONDARY", "replica"),
        ("RECOVERING", "PRIMARY", ""),  # of many primaries; still read-only until it is ONLINE
        ("OFFLINE", "", ""),
        ("ERROR", "", ""),
    ],
)
def test_the_role_in_a_group_is_the_one_it_gives(state: str, role: str, expected: str) -> None:
    assert Group("a", (member("a", state, role), member("b", "ONLINE"))).role == expected


def test_in_a_minority_even_the_primary_has_no_role() -> None:
    cut_off = (member("a", "ONLINE", "PRIMARY"), member("b", "UNREACHABLE"))
    assert Group("a", cut_off).role == ""


def test_a_group_of_5_7_names_its_primary_by_uuid() -> None:
    def old(primary: str) -> str:
        rows = tuple(
            {key: value for key, value in member(uuid, "ONLINE").items() if key != "MEMBER_ROLE"}
            for uuid in "ab"
        )
        return Group("a", rows, primary).role

    assert [old("a"), old("b"), old("")] == ["primary", "replica", "primary"]


def test_without_a_quorum_nothing_is_said_of_who_left() -> None:
    group = (member("a", "ONLINE"), member("b", "UNREACHABLE"))
    found = by_name(group_replication.states(Group("a", group)))
    assert found["group_has_quorum"].value == 0
    assert "group_member" not in found


@pytest.mark.parametrize(
    ("states", "has_quorum"),
    [
        ("ONLINE ONLINE ONLINE", True),
        ("ONLINE ONLINE UNREACHABLE", True),
        ("ONLINE RECOVERING UNREACHABLE", True),
        ("ONLINE UNREACHABLE", False),  # half is no majority
        ("ONLINE UNREACHABLE UNREACHABLE", False),
        ("ONLINE", True),  # the others left in good order: the group is of one
    ],
)
def test_a_member_that_reaches_at_most_half_of_the_group_has_no_quorum(
    states: str, has_quorum: bool
) -> None:
    members = tuple(member(uuid, state) for uuid, state in zip("abc", states.split(), strict=False))
    found = by_name(group_replication.states(Group("a", members)))
    assert found["group_has_quorum"].value == float(has_quorum)


def test_a_lost_quorum_opens_an_incident() -> None:
    members = (member("a", "ONLINE"), member("b", "UNREACHABLE"))
    judge, target = Judge(), MySQL9.target
    for _ in range(2):
        measured = tuple(group_replication.states(Group("a", members)))
        taken = Reading("db", "group_replication", NOW, 0.0, measured)
        verdicts = judge.assess(target, group_replication.PROBE, taken).findings
    (lost,) = (each for each in verdicts if each.measure == "group_has_quorum")
    assert lost.opens
    assert "only 1 of 2 members are reached (db-b:3306 UNREACHABLE)" in lost.title.en


@pytest.mark.parametrize("state", ["ERROR", "OFFLINE"])
def test_a_member_that_is_out_speaks_for_itself_only(state: str) -> None:
    found = by_name(group_replication.states(Group("a", (member("a", state),))))
    assert found["group_member_online"].value == 0
    assert found["group_member_online"].detail["state"] == state
    assert "group_member" not in found


# --- semi-synchronous replication -----------------------------------------------------------


class SemiSync(MySQL9):
    """A server with semi-synchronous replication switched on, by its settings and counts."""

    def __init__(self, settings: str, counts: Mapping[str, object], replicas: int = 0) -> None:
        super().__init__({})
        self.settings, self.counts, self.replicas = settings.split(), counts, replicas
        self.follows = False

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        if sql.startswith("SHOW GLOBAL VARIABLES"):
            return [{"Variable_name": each, "Value": "ON"} for each in self.settings]
        if sql.startswith("SELECT @@global"):
            return [dict.fromkeys(self.settings, 1)]
        if sql.startswith("SHOW GLOBAL STATUS"):
            return [{"Variable_name": n, "Value": str(v)} for n, v in self.counts.items()]
        if sql == "SHOW REPLICA STATUS":
            return [NEW] if self.follows else []
        if "PROCESSLIST WHERE" in sql.replace("\n", " "):
            return []  # no question of ours waits
        return [{"replicas": self.replicas}]

    def read(self) -> dict[str, Measurement]:
        return by_name(semi_sync.read(self))


BOTH = "rpl_semi_sync_source_enabled rpl_semi_sync_replica_enabled"


def source_side(name: str = "source", **changes: object) -> dict[str, object]:
    counts = {"status": "ON", "clients": 1, "wait_sessions": 0, "yes_tx": 7, "no_tx": 12, **changes}
    return {f"Rpl_semi_sync_{name}_{each}": value for each, value in counts.items()}


@pytest.mark.parametrize("name", ["source", "master"])
def test_semi_sync_is_read_under_old_and_new_names(name: str) -> None:
    server = SemiSync(f"rpl_semi_sync_{name}_enabled", source_side(name, status="OFF"))
    found = server.read()
    assert found["semi_sync_active"].value == 0, "it fell back although a replica is there"
    assert found["semi_sync_unconfirmed_transactions"].value == 12


def test_with_both_sides_on_each_is_told_only_where_it_has_work() -> None:
    idle = {**source_side(clients=0), "Rpl_semi_sync_replica_status": "ON"}
    replica = SemiSync(BOTH, idle)
    replica.follows = True
    assert "semi_sync_active" not in replica.read()
    assert replica.read()["semi_sync_replica_active"].value == 1
    replica.counts = {**idle, "Rpl_semi_sync_replica_status": "OFF"}
    assert "semi_sync_active" not in replica.read(), "its receiver stands, it follows all the same"
    assert replica.read()["semi_sync_replica_active"].value == 0

    primary = SemiSync(BOTH, {**source_side(), "Rpl_semi_sync_replica_status": "OFF"})
    assert primary.read()["semi_sync_active"].value == 1
    assert "semi_sync_replica_active" not in primary.read()


def test_a_primary_whose_last_semi_sync_replica_is_gone_is_told() -> None:
    bare = {**source_side(clients=0), "Rpl_semi_sync_replica_status": "OFF"}
    assert SemiSync(BOTH, bare).read()["semi_sync_active"].value == 0


@pytest.mark.parametrize(("role", "replicas"), [("primary", 0), ("", 1)])
def test_a_replica_that_others_follow_is_a_source_too(role: str, replicas: int) -> None:
    idle = {**source_side(clients=0), "Rpl_semi_sync_replica_status": "ON"}
    middle = SemiSync(BOTH, idle, replicas)
    middle.target = replace(middle.target, role=role)
    assert middle.read()["semi_sync_active"].value == 0


def test_on_a_busy_primary_somebody_always_waits_and_that_is_no_stall() -> None:
    server = SemiSync("rpl_semi_sync_source_enabled", source_side(wait_sessions=2, yes_tx=100))
    assert "semi_sync_stalled_sessions" not in server.read(), "one reading tells no wait's length"
    server.counts = source_side(wait_sessions=3, yes_tx=160)
    assert server.read()["semi_sync_stalled_sessions"].value == 0
    assert server.read()["semi_sync_stalled_sessions"].value == 3, "nothing was confirmed since"
    server.counts = source_side(wait_sessions=0, yes_tx=163)
    assert server.read()["semi_sync_stalled_sessions"].value == 0


def test_a_commit_that_only_begins_to_wait_on_a_quiet_server_is_no_stall() -> None:
    server = SemiSync("rpl_semi_sync_source_enabled", source_side(yes_tx=100))
    server.read()
    server.counts = source_side(wait_sessions=1, yes_tx=100)
    assert server.read()["semi_sync_stalled_sessions"].value == 0


# --- Galera ---------------------------------------------------------------------------------


def test_a_donor_is_ready_and_not_synced() -> None:
    status = {
        "wsrep_cluster_status": "Primary", "wsrep_ready": "ON", "wsrep_cluster_size": "2",
        "wsrep_local_state_comment": "Donor/Desynced", "wsrep_local_recv_queue": "140",
    }  # fmt: skip
    found = by_name(galera.states(status))
    assert (found["galera_ready"].value, found["galera_synced"].value) == (1, 0)
    assert found["galera_receive_queue"].value == 140


def test_the_nodes_of_a_primary_component_are_told_by_address() -> None:
    status = {
        "wsrep_cluster_status": "Primary", "wsrep_ready": "ON",
        "wsrep_incoming_addresses": "10.0.0.2:3306,,10.0.0.1:3306,AUTO",
    }  # fmt: skip

    def told(status: dict[str, str]) -> list[str]:
        return [m.subject for m in galera.states(status) if m.measure == "galera_member"]

    assert told(status) == ["10.0.0.1:3306", "10.0.0.2:3306", "unnamed-1", "unnamed-2"]
    assert told(status | {"wsrep_cluster_status": "non-Primary"}) == []


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
    session: Any = Remembering()
    assert growth(session, {"uptime": 100, "n": 5}) == ({}, 0.0)
    assert growth(session, {"uptime": 100, "n": 9}) == ({}, 0.0), "no time has passed"
    assert growth(session, {"uptime": 110, "n": 25}) == ({"uptime": 10, "n": 20}, 10)
    assert growth(session, {"uptime": 4, "n": 1}) == ({}, 0.0), "restarted"
    assert growth(session, {"uptime": 14, "n": 2})[0]["n"] == 1
    assert growth(session, {"uptime": 24, "n": 0}) == ({}, 0.0), "FLUSH STATUS"


# --- restart ---------------------------------------------------------------------------------


def verdict_on_a_start(uptime: int, crash_lines: int) -> Finding:
    class Started(MySQL9):
        def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
            if sql.startswith("SHOW GLOBAL STATUS"):
                return [{"Variable_name": "Uptime", "Value": str(uptime)}]
            if "UNIX_TIMESTAMP" in sql:
                return [{"now": 1_795_000_000}]
            return [{"found": crash_lines}]

    measured = tuple(restart.read(Started({})))
    taken = Reading("db", "restart", NOW, 0.0, measured)
    verdicts = Judge().assess(MySQL9.target, restart.PROBE, taken).findings
    return next(each for each in verdicts if each.measure == "crash_recovered")


def test_a_start_after_a_crash_opens_an_incident_and_an_orderly_one_does_not() -> None:
    crashed = verdict_on_a_start(uptime=30, crash_lines=1)
    assert crashed.opens
    assert "the server crashed, then InnoDB recovered, 30 s ago" in crashed.title.en
    assert not verdict_on_a_start(uptime=30, crash_lines=0).opens


def test_a_crash_of_long_ago_is_history() -> None:
    assert verdict_on_a_start(uptime=86400, crash_lines=1).severity is Severity.CLEAR


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
    firsts = [
        {"id": 1, "name": "kecil", "is_primary": 1, "pos": 0},
        {"id": 2, "name": "t", "is_primary": 1, "pos": 0},
    ]
    assert auto_increment.told(tables, columns, firsts) == []


# --- connections ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "indonesian", "english"),
    [
        (1, "menolak 1 login karena slot koneksi habis", "refused 1 login for lack of"),
        (7, "menolak 7 login karena slot koneksi habis", "refused 7 logins for lack of"),
    ],
)
def test_one_login_that_was_refused_is_not_told_as_several(
    refused: int, indonesian: str, english: str
) -> None:
    found = Measurement("refused_logins", float(refused))
    taken = Reading(MySQL9.target.name, "connections", NOW, 0.0, (found,))
    verdicts = Judge().assess(MySQL9.target, connections.PROBE, taken).findings
    (verdict,) = (each for each in verdicts if each.measure == "refused_logins")
    assert indonesian in verdict.title.id
    assert english in verdict.title.en


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
