"""No false zero, and no false alarm, from either side of replication."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probes import Address, FailureKind, Finding, ProbeError, Reading, Severity, Target
from probes.judge import Judge
from probes.model import Memory
from probes.postgresql.replication.replication_lag import DELAYED_LABEL, PROBE
from probes.postgresql.replication.streams import (
    lag_seconds,
    replica_measurements,
    standby_measurements,
)
from tests.probes.postgresql.asking import exhibits, read, values
from tests.servers import postgresql
from tests.servers.postgresql import NO_RIGHTS, PostgresPair, until

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TARGET = Target("r", "postgresql", Address("db02", 5432, "sigap"))


# -- real servers -----------------------------------------------------------------------------


@pytest.mark.servers
def test_a_healthy_replica_has_no_lag_and_says_it_receives(pair: PostgresPair) -> None:
    found = values(PROBE, pair.replica.target())
    assert found["receiver_up"] == 1
    assert found["replay_paused"] == 0
    assert found["replication_lag_seconds"] == 0
    assert found["replication_lag_bytes"] == 0


@pytest.mark.servers
def test_an_idle_primary_is_not_lag_however_old_the_last_transaction(pair: PostgresPair) -> None:
    pair.primary.sql("create table if not exists penanda (id int)")
    pair.wait_streaming()
    age = "select extract(epoch from now() - pg_last_xact_replay_timestamp()) > 1"
    until(lambda: pair.replica.sql(age)[0][0], "the last transaction ageing by a second")
    assert values(PROBE, pair.replica.target())["replication_lag_seconds"] == 0


@pytest.mark.servers
def test_a_replica_that_is_cut_off_never_reports_zero_lag(pair: PostgresPair) -> None:
    with pair.cut_receiver():
        pair.primary.fill(4)
        found = read(PROBE, pair.replica.target())
        assert found["receiver_up", ""].value == 0
        assert ("replication_lag_seconds", "") not in found
        assert ("replication_lag_bytes", "") not in found
    assert values(PROBE, pair.replica.target())["receiver_up"] == 1


@pytest.mark.servers
def test_a_paused_replay_is_named_and_its_lag_grows(pair: PostgresPair) -> None:
    with pair.paused_replay():
        pair.primary.fill(4)
        behind = until(lambda: _behind(pair), "the replica falling behind")
        assert behind["replay_paused"] == 1
        assert behind["receiver_up"] == 1
        assert behind["replication_lag_bytes"] > 4e6
        assert behind["replication_lag_seconds"] > 0
        later = until(lambda: _more_than(pair, behind), "the lag growing")
        assert later["replication_lag_seconds"] > behind["replication_lag_seconds"]
        of_primary = read(PROBE, pair.primary.target())
        assert of_primary["replication_lag_bytes", pair.slot].value > 4e6
    assert values(PROBE, pair.replica.target())["replication_lag_seconds"] == 0


def _pause_told(pair: PostgresPair, **changes: Any) -> Finding:
    """What is reported of the replica's pause, with the log given and at its second reading."""
    volumes = {"log": str(pair.replica.folder / "replica.log")}
    target = pair.replica.target(**{"volumes": volumes, "host": "db02"} | changes)
    found = tuple(read(PROBE, target).values())
    judge = Judge()
    for _ in range(2):
        reading = Reading(target.name, PROBE.name, datetime.now(UTC), 0.01, found)
        told = {f.measure: f for f in judge.assess(target, PROBE, reading).findings}
    return told["replay_paused"]


@pytest.mark.servers
def test_resuming_is_offered_only_if_the_log_says_that_somebody_paused(
    pair: PostgresPair,
) -> None:
    with pair.paused_replay():
        pair.primary.fill(1)
        by_somebody = until(lambda: _said(pair, "somebody ran"), "the log naming the pause")
        unreadable = _pause_told(pair, volumes={"log": "/dev/null"})
    assert "pg_wal_replay_resume();" in by_somebody.hint.en
    assert "not known by whom" in unreadable.title.en
    assert "pg_wal_replay_resume" not in unreadable.hint.en
    assert "shuts down when replay is resumed" in unreadable.hint.en


def _said(pair: PostgresPair, words: str) -> Finding | None:
    told = _pause_told(pair)
    return told if words in told.title.en else None


@pytest.mark.servers
def test_a_replica_that_paused_itself_is_told_to_raise_its_setting_and_the_advice_mends_it() -> (
    None
):
    with postgresql.pair() as own:
        own.primary.settings["max_prepared_transactions"] = "9"
        own.primary.restart()
        paused = "select pg_is_wal_replay_paused()"
        until(lambda: own.replica.sql(paused)[0][0], "the replica pausing by itself")
        told = _pause_told(own)
        assert "max_prepared_transactions is 5 and the primary's is 9" in told.title.en
        assert "ALTER SYSTEM SET max_prepared_transactions = 9;" in told.hint.en
        assert "pg_wal_replay_resume" not in told.hint.en
        assert "pg_wal_replay_resume" not in _pause_told(own, host="").hint.en
        own.replica.sql("alter system set max_prepared_transactions = 9")
        del own.replica.settings["max_prepared_transactions"]  # the command line would win
        own.replica.restart()
        own.wait_streaming()
        assert values(PROBE, own.replica.target())["replay_paused"] == 0


def _behind(pair: PostgresPair) -> dict[str, float] | None:
    found = values(PROBE, pair.replica.target())
    return found if found["replication_lag_bytes"] > 4e6 else None


def _more_than(pair: PostgresPair, before: dict[str, float]) -> dict[str, float] | None:
    found = values(PROBE, pair.replica.target())
    grown = found["replication_lag_seconds"] > before["replication_lag_seconds"]
    return found if grown else None


@pytest.mark.servers
def test_an_intended_delay_is_no_lag_on_either_side(pair: PostgresPair) -> None:
    pair.replica.sql("alter system set recovery_min_apply_delay = '1h'")
    pair.replica.sql("select pg_reload_conf()")
    try:
        pair.primary.fill(2)
        found = until(lambda: _delayed(pair), "WAL waiting on purpose")
        assert found["replication_lag_seconds"] == 0
        assert "replication_lag_bytes" not in found
        target = pair.primary.target(labels={DELAYED_LABEL: pair.slot})
        of_primary = read(PROBE, target)
        assert ("replication_lag_bytes", pair.slot) not in of_primary
        assert of_primary["replication_flush_lag_bytes", pair.slot].value < 1e6
    finally:
        pair.replica.sql("alter system reset recovery_min_apply_delay")
        pair.replica.sql("select pg_reload_conf()")
        pair.wait_streaming()


def _delayed(pair: PostgresPair) -> dict[str, float] | None:
    found = values(PROBE, pair.replica.target())
    return found if found.get("replication_delayed_bytes", 0.0) > 1e6 else None


@pytest.mark.servers
def test_both_sides_name_the_same_timeline(pair: PostgresPair) -> None:
    of_primary = values(PROBE, pair.primary.target())["timeline"]
    assert of_primary == values(PROBE, pair.replica.target())["timeline"] == 1


@pytest.mark.servers
def test_the_primary_names_its_standby_and_every_stage(pair: PostgresPair) -> None:
    pair.wait_streaming()
    found = read(PROBE, pair.primary.target())
    stages = ("sent_lag", "write_lag", "flush_lag", "lag")
    assert {found[f"replication_{stage}_bytes", pair.slot].value for stage in stages} == {0.0}
    assert found["standby_streaming", pair.slot].value == 1
    assert found["replication_lag_seconds", pair.slot].value == 0


@pytest.mark.servers
def test_without_grants_replication_is_blind_on_both_sides(pair: PostgresPair) -> None:
    for server in (pair.primary, pair.replica):
        with pytest.raises(ProbeError) as caught:
            read(PROBE, server.target(user=NO_RIGHTS))
        assert caught.value.failure.kind is FailureKind.BLIND
        assert f"GRANT pg_monitor TO {NO_RIGHTS};" in caught.value.failure.hint.en


@pytest.mark.servers
def test_evidence_shows_the_rows_of_the_side_it_is_taken_on(pair: PostgresPair) -> None:
    (receiver,) = exhibits(PROBE, pair.replica.target())
    assert receiver.rows[0][receiver.columns.index("status")] == "streaming"
    (standbys,) = exhibits(PROBE, pair.primary.target())
    assert standbys.rows[0][0] == pair.slot


# -- rules, on rows ---------------------------------------------------------------------------


def row(**changes: Any) -> dict[str, Any]:
    """A replica that is 1 MB behind; its last replayed commit is an hour old."""
    return {
        "now": NOW,
        "has_receiver": True,
        "timeline": 1,
        "status": "streaming",
        "sender_host": "db01",
        "sender_port": 5432,
        "slot_name": "replica1",
        "latest_end_time": NOW,
        "silent_seconds": 0.1,
        "last_replayed": NOW - timedelta(hours=1),
        "behind_bytes": 1e6,
        "paused": False,
        "intended_seconds": 0.0,
        "streams": True,
        "received": "0/2",
        "replayed": "0/1",
    } | changes


def test_the_first_write_after_an_idle_night_is_not_a_nights_lag() -> None:
    assert lag_seconds(row(), None) == 3600
    assert lag_seconds(row(), NOW - timedelta(seconds=15)) == 15


def test_a_replica_stuck_since_an_hour_is_an_hour_behind_whenever_it_was_last_asked() -> None:
    stuck = row(latest_end_time=NOW - timedelta(minutes=50))
    assert lag_seconds(stuck, None) == 3600
    assert lag_seconds(stuck, NOW - timedelta(seconds=1)) == 3000


def test_an_intended_delay_is_not_lag() -> None:
    assert lag_seconds(row(intended_seconds=3600.0), None) == 0
    assert lag_seconds(row(intended_seconds=600.0), None) == 3000


def test_lag_of_a_replica_that_never_replayed_a_commit_is_bounded_by_what_was_announced() -> None:
    fresh = row(last_replayed=None, latest_end_time=NOW - timedelta(seconds=7))
    assert lag_seconds(fresh, None) == 7
    assert lag_seconds(row(last_replayed=None, latest_end_time=None), None) is None


def test_a_receiver_that_only_waits_is_not_up_and_tells_no_lag() -> None:
    found = {m.measure: m.value for m in replica_measurements(row(status="waiting"), "r", None)}
    assert found == {"replay_paused": 0, "receiver_up": 0, "timeline": 1}


def test_a_position_nobody_knows_is_no_lag_figure_and_never_zero() -> None:
    found = {m.measure for m in replica_measurements(row(behind_bytes=None), "r", None)}
    assert found == {"replay_paused", "receiver_up", "timeline", "receiver_silent_seconds"}


def test_a_dump_that_pauses_replay_is_a_warning_until_the_lag_is_an_outage() -> None:
    late = row(paused=True, latest_end_time=NOW - timedelta(hours=1))
    reading = Reading("r", PROBE.name, NOW, 0.01, replica_measurements(late, "r", None))
    judge = Judge()
    for _ in range(2):
        found = {f.measure: f for f in judge.assess(TARGET, PROBE, reading).findings}
    assert found["replay_paused"].severity is Severity.WARNING
    assert found["replication_lag_seconds"].severity is Severity.CRITICAL
    assert "replay is paused" in found["replication_lag_seconds"].title.en


def test_a_replica_fed_from_an_archive_misses_no_receiver() -> None:
    archive = row(has_receiver=False, status=None, streams=False)
    assert [m.measure for m in replica_measurements(archive, "r", None)] == ["replay_paused"]


def test_a_delayed_replica_has_bytes_that_wait_on_purpose_and_no_lag_of_bytes() -> None:
    delayed = row(intended_seconds=7200.0)
    found = {m.measure: m.value for m in replica_measurements(delayed, "r", None)}
    assert found["replication_delayed_bytes"] == 1e6
    assert found["replication_lag_seconds"] == 0
    assert "replication_lag_bytes" not in found


def standby(**changes: Any) -> dict[str, Any]:
    """A standby that has everything."""
    return {
        "name": "walreceiver", "client": "10.0.0.2", "state": "streaming", "sync_state": "async",
        "sent_bytes": 0.0, "write_bytes": 0.0, "flush_bytes": 0.0, "replay_bytes": 0.0,
        "replay_seconds": None,
    } | changes  # fmt: skip


def test_standbys_of_one_name_are_told_apart_and_the_worst_of_equals_counts() -> None:
    rows = [
        standby(),
        standby(client="10.0.0.3", replay_bytes=5.0),
        standby(client="10.0.0.3", replay_bytes=9.0, state="catchup"),
    ]
    found = {(m.measure, m.subject): m.value for m in standby_measurements(rows, "p")}
    assert found["replication_lag_bytes", "walreceiver@10.0.0.2"] == 0
    assert found["replication_lag_bytes", "walreceiver@10.0.0.3"] == 9
    assert found["standby_streaming", "walreceiver@10.0.0.3"] == 0


class Primary:
    """A fake primary with the standbys that the test names."""

    target = TARGET

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.standbys: list[dict[str, Any]] = []

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[dict[str, Any]]:
        if "pg_stat_replication" in sql:
            return self.standbys
        return [{"in_recovery": False, "account": "sigap", "sees_everybody": True, "timeline": 1}]


def _standbys_of(primary: Any, *clients: str) -> set[str]:
    primary.standbys = [standby(name="15/main", client=client) for client in clients]
    return {m.subject for m in PROBE.read(primary) if m.subject}


def test_a_standby_keeps_its_name_when_its_namesake_leaves_also_after_a_restart() -> None:
    notes = Memory()
    assert _standbys_of(Primary(notes), "10.0.0.2") == {"15/main"}
    both = {"15/main@10.0.0.2", "15/main@10.0.0.3"}
    assert _standbys_of(Primary(notes), "10.0.0.2", "10.0.0.3") == both
    assert _standbys_of(Primary(notes), "10.0.0.2") == {"15/main@10.0.0.2"}
    after_a_restart = Primary(Memory(json.loads(json.dumps(notes.kept))))
    assert _standbys_of(after_a_restart, "10.0.0.2") == {"15/main@10.0.0.2"}


def test_a_standby_that_came_back_before_its_old_walsender_ended_is_no_namesake() -> None:
    notes = Memory()
    assert _standbys_of(Primary(notes), "10.0.0.2", "10.0.0.2") == {"15/main"}
    assert _standbys_of(Primary(notes), "10.0.0.2") == {"15/main"}


def test_a_standby_declared_as_delayed_is_not_judged_by_what_it_has_replayed() -> None:
    late = standby(replay_bytes=9e9, replay_seconds=7200.0)
    found = {m.measure for m in standby_measurements([late], "p", frozenset({"walreceiver"}))}
    assert found & {"replication_lag_bytes", "replication_lag_seconds"} == set()
    assert "replication_flush_lag_bytes" in found


def test_a_standby_that_is_behind_without_a_time_has_no_seconds_rather_than_zero() -> None:
    found = {m.measure for m in standby_measurements([standby(replay_bytes=9.0)], "p")}
    assert "replication_lag_seconds" not in found
