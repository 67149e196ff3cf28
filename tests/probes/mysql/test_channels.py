"""Rows of every version become the same channel; unknown values stay unknown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest

from probes import Address, FailureKind, ProbeError, Row, Session, Shared, Target
from probes.model import Memory
from probes.mysql.replication.channels import Channel, channel, channels, statement
from probes.mysql.replication.replication_lag import PROBE, measured
from probes.mysql.replication.stopped import applying, receiving

TARGET = Target("db", "mysql", Address("127.0.0.1", 3306, "sigap"))

OLD: Mapping[str, object] = {  # MySQL 5.7 and 8.0 under SHOW SLAVE STATUS
    "Master_Host": "10.0.0.1",
    "Master_Port": 3306,
    "Master_Log_File": "binlog.000007",
    "Read_Master_Log_Pos": 5000,
    "Relay_Master_Log_File": "binlog.000007",
    "Exec_Master_Log_Pos": 4200,
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": 12,
    "SQL_Delay": 0,
    "Last_IO_Errno": 0,
    "Last_IO_Error": "",
    "Last_SQL_Errno": 0,
    "Last_SQL_Error": "",
    "Relay_Log_Space": 9000,
    "Until_Condition": "None",
    "Channel_Name": "",
    "Retrieved_Gtid_Set": "a:1-5",
    "Executed_Gtid_Set": "a:1-4",
}
NEW: Mapping[str, object] = {  # MySQL 8.4 and 9.x under SHOW REPLICA STATUS
    key.replace("Master_", "Source_")
    .replace("Behind_Master", "Behind_Source")
    .replace("Slave_", "Replica_"): value
    for key, value in OLD.items()
}
MARIADB: Mapping[str, object] = {
    **{k: v for k, v in OLD.items() if k not in {"Channel_Name", "Retrieved_Gtid_Set"}},
    "Connection_name": "",
    "Gtid_IO_Pos": "0-1-5",
    "Gtid_Slave_Pos": "0-1-4",
}


@dataclass
class Answering:
    """A session that has one answer ready."""

    answer: list[Row]
    flavour: str = "mysql"
    version: int = 90704
    target: Target = TARGET
    phases: Mapping[str, float] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    asked: list[str] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        if "PROCESSLIST" in sql:
            return self.waiting
        self.asked.append(sql)
        return self.answer

    def fresh(self, database: str = "") -> AbstractContextManager[Session]:
        raise NotImplementedError

    def paths(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        return None


def values(found: Channel) -> dict[str, float]:
    return {each.measure: each.value for each in measured(found)}


def test_the_helper_really_renamed_what_the_server_renamed() -> None:
    assert {"Replica_IO_Running", "Seconds_Behind_Source", "Read_Source_Log_Pos"} <= NEW.keys()
    assert "Relay_Source_Log_File" in NEW


@pytest.mark.parametrize("row", [OLD, NEW, MARIADB], ids=["old", "new", "mariadb"])
def test_old_and_new_names_give_the_same_channel(row: Row) -> None:
    found = channel(row)
    assert (found.name, found.source) == ("default", "10.0.0.1:3306")
    assert found.lag_seconds == 12
    assert found.lag_bytes == 800
    assert found.io_running
    assert found.sql_running
    assert found.received.startswith("binlog.000007:5000 ")
    assert found.applied.startswith("binlog.000007:4200 ")


@pytest.mark.parametrize(
    ("flavour", "version", "expected"),
    [
        ("mariadb", 100500, "SHOW ALL SLAVES STATUS"),
        ("mariadb", 120100, "SHOW ALL SLAVES STATUS"),
        ("mysql", 50744, "SHOW SLAVE STATUS"),
        ("mysql", 80021, "SHOW SLAVE STATUS"),
        ("mysql", 80022, "SHOW REPLICA STATUS"),
        ("mysql", 80400, "SHOW REPLICA STATUS"),
        ("mysql", 90704, "SHOW REPLICA STATUS"),
    ],
)
def test_each_version_is_asked_in_its_own_words(flavour: str, version: int, expected: str) -> None:
    assert statement(flavour, version) == expected
    session = Answering([], flavour, version)
    assert channels(session) == []
    assert session.asked == [expected]


def test_no_second_question_goes_where_one_still_waits() -> None:
    session = Answering([OLD], waiting=[{"id": 41}])
    with pytest.raises(ProbeError) as caught:
        channels(session)
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "session 41 still waits" in caught.value.failure.said.en
    assert session.asked == []
    session.waiting = []
    assert len(channels(session)) == 1


def test_an_unknown_lag_is_neither_zero_nor_silent() -> None:
    found = values(channel({**NEW, "Seconds_Behind_Source": None, "Replica_SQL_Running": "No"}))
    assert "replication_lag_seconds" not in found
    assert found["replication_lag_known"] == 0
    assert found["replication_sql_running"] == 0


@pytest.mark.parametrize("state", ["No", "Connecting", "Preparing"])
def test_only_yes_is_running(state: str) -> None:
    assert values(channel({**NEW, "Replica_IO_Running": state}))["replication_io_running"] == 0


@pytest.mark.parametrize(
    ("behind", "delay", "lag"), [(3600, 3600, 0), (3590, 3600, 0), (3700, 3600, 100), (5, 0, 5)]
)
def test_an_intended_delay_is_taken_off(behind: int, delay: int, lag: int) -> None:
    row = {**NEW, "Seconds_Behind_Source": behind, "SQL_Delay": delay}
    assert channel(row).lag_seconds == lag


def test_relay_logs_are_not_taken_for_all_the_room_there_is_while_one_is_removed() -> None:
    """As seen on MariaDB 10.11: 18,446.7 PB of relay logs for one reading."""
    assert channel({**NEW, "Relay_Log_Space": 2**64 - 512}).relay_bytes == 0


def test_bytes_are_unknown_across_two_log_files() -> None:
    found = channel({**NEW, "Source_Log_File": "binlog.000008"})
    assert found.lag_bytes is None
    assert "replication_lag_bytes" not in values(found)
    assert values(found)["replication_relay_bytes"] == 9000


def test_every_channel_is_read_and_group_replications_own_are_not() -> None:
    names = ("kepegawaian", "keuangan", "group_replication_recovery", "group_replication_applier")
    session = Answering([{**NEW, "Channel_Name": name} for name in names])
    assert [each.name for each in channels(session)] == ["kepegawaian", "keuangan"]


def test_a_renamed_column_is_blind_and_named() -> None:
    row = {key: value for key, value in NEW.items() if key != "Replica_IO_Running"}
    with pytest.raises(ProbeError) as caught:
        channel(row)
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "Replica_IO_Running" in caught.value.failure.message


def test_a_stop_that_was_asked_for_says_so() -> None:
    row = {**NEW, "Replica_SQL_Running": "No", "Until_Condition": "SQL_AFTER_GTIDS"}
    (stopped,) = (e for e in measured(channel(row)) if e.measure == "replication_sql_running")
    assert "UNTIL SQL_AFTER_GTIDS" in str(stopped.detail["said"])


DUPLICATE = (
    "Could not execute Write_rows_v1 event on table esurat.agenda; Duplicate entry '8' for key "
    "'PRIMARY', Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY; the event's master log "
    "master-bin.000003, end_log_pos 4711"
)


def test_a_stopped_applier_is_told_by_its_cause_in_one_short_clause() -> None:
    row = {**NEW, "Replica_SQL_Running": "No", "Last_SQL_Errno": 1062, "Last_SQL_Error": DUPLICATE}
    said = applying(channel(row))
    assert said.id == "penerapan (SQL) berhenti: kunci ganda pada esurat.agenda (1062)"
    assert said.en == "the applier (SQL) has stopped: duplicate key on esurat.agenda (1062)"
    (stopped,) = (e for e in measured(channel(row)) if e.measure == "replication_sql_running")
    assert "HA_ERR_FOUND_DUPP_KEY" in str(stopped.detail["error"])  # kept for the evidence


def test_an_unknown_cause_is_cut_and_a_named_channel_named() -> None:
    row = {**NEW, "Replica_SQL_Running": "No", "Last_SQL_Errno": 9999, "Last_SQL_Error": "x" * 400}
    said = applying(channel({**row, "Channel_Name": "keuangan"}))
    assert said.en.startswith("the applier (SQL) of channel keuangan has stopped: xxx")
    assert said.en.endswith("… (9999)")
    assert len(said.en) <= 120


def test_a_receiver_that_tries_is_not_connected_and_says_why() -> None:
    row = {**NEW, "Replica_IO_Running": "Connecting", "Last_IO_Errno": 2003, "Last_IO_Error": "x"}
    why = "the primary cannot be reached (2003)"
    assert receiving(channel(row)).en == f"the receiver (IO) is not connected (Connecting): {why}"


def test_an_applier_that_rests_where_it_was_told_to_is_at_most_a_warning() -> None:
    rests = {**NEW, "Replica_SQL_Running": "No", "Until_Condition": "SQL_AFTER_GTIDS"}
    found = values(channel(rests))
    assert (found["replication_sql_running"], found["replication_until_reached"]) == (1, 1)
    (limit,) = (t for t in PROBE.thresholds if t.measure == "replication_until_reached")
    assert (limit.warning, limit.critical) == (1.0, None)
    found = values(channel({**rests, "Last_SQL_Errno": 1062}))
    assert (found["replication_sql_running"], found["replication_until_reached"]) == (0, 0)
    found = values(channel({**NEW, "Until_Condition": "SQL_AFTER_GTIDS"}))
    assert (found["replication_sql_running"], found["replication_until_reached"]) == (1, 0)


def test_a_condition_that_was_never_reached_is_no_reason_to_rest() -> None:
    """STOP REPLICA leaves it in the status."""
    stopped = {
        **NEW, "Replica_SQL_Running": "No", "Until_Condition": "Source",
        "Relay_Source_Log_File": "binlog.999999", "Exec_Source_Log_Pos": 900,
        "Until_Log_File": "binlog.1000000", "Until_Log_Pos": 4,
    }  # fmt: skip
    found = values(channel(stopped))
    assert (found["replication_sql_running"], found["replication_until_reached"]) == (0, 0)
    reached = {**stopped, "Relay_Source_Log_File": "binlog.1000000"}
    found = values(channel(reached))
    assert (found["replication_sql_running"], found["replication_until_reached"]) == (1, 1)
