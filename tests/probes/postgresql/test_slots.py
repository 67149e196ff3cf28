"""Slots: a missing consumer, a slot nearly lost, and slots that are not the cause."""

from __future__ import annotations

from typing import Any

import pytest

from probes import Measurement
from probes.model import Memory
from probes.postgresql.locks.horizon import holders
from probes.postgresql.replication.slots import PROBE, listed, shares, slot_measurements
from tests.probes.postgresql.asking import exhibits, read, session_to, title_of
from tests.servers.postgresql import NO_RIGHTS, PostgresPair, until

# -- real servers -----------------------------------------------------------------------------


@pytest.mark.servers
def test_the_primary_sees_a_replica_that_stopped_by_its_slot(pair: PostgresPair) -> None:
    assert read(PROBE, pair.primary.target())["slot_active", pair.slot].value == 1
    pair.replica.stop()
    try:
        pair.primary.fill(4)
        found = read(PROBE, pair.primary.target())
        assert found["slot_active", pair.slot].value == 0
        assert found["slot_retained_bytes", pair.slot].value > 4e6
        assert 0 < found["slot_wal_used_ratio", pair.slot].value < 1
    finally:
        pair.replica.start()
        pair.wait_streaming()


@pytest.mark.servers
def test_what_a_slot_keeps_is_told_against_the_room_that_is_left(pair: PostgresPair) -> None:
    local = pair.primary.target(host="db01", volumes={"wal": str(pair.primary.folder)})
    found = read(PROBE, local)
    assert 0 <= found["slot_share_of_room_ratio", pair.slot].value < 1
    assert ("slot_share_of_room_ratio", pair.slot) not in read(PROBE, pair.primary.target())
    kept = Measurement("slot_retained_bytes", 6e9, "lupa", {"retained": "6 GB"})
    (share,) = shares([kept], 2e9)
    assert share.value == 0.75
    title = title_of(PROBE, {("slot_share_of_room_ratio", "lupa"): share}, share.measure)
    assert title == "simpeg: slot lupa keeps 6 GB of WAL, with 2 GB left on its volume"


@pytest.mark.servers
def test_a_slot_on_a_standby_is_inactive_by_right(pair: PostgresPair) -> None:
    pair.replica.sql("select pg_create_physical_replication_slot('cadangan', true)")
    try:
        found = read(PROBE, pair.replica.target())
        assert ("slot_active", "cadangan") not in found
        assert found["slot_wal_status", "cadangan"].value == 0
    finally:
        pair.replica.sql("select pg_drop_replication_slot('cadangan')")


@pytest.mark.servers
def test_slots_can_be_seen_without_any_right(pair: PostgresPair) -> None:
    assert ("slot_active", pair.slot) in read(PROBE, pair.primary.target(user=NO_RIGHTS))


@pytest.mark.servers
def test_old_rows_kept_by_a_slot_are_counted_in_transactions(pair: PostgresPair) -> None:
    pair.replica.sql("alter system set hot_standby_feedback = on")
    pair.replica.sql("select pg_reload_conf()")
    reader = pair.replica.connect()
    reader.autocommit = False
    try:
        with reader.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            cursor.execute("select count(*) from pg_class")
        until(lambda: ("slot_held_xids", pair.slot) in _slots(pair), "feedback reaching the slot")
        before = _slots(pair)["slot_held_xids", pair.slot].value
        for _ in range(20):
            pair.primary.sql("select txid_current()")
        until(lambda: _slots(pair)["slot_held_xids", pair.slot].value >= before + 20, "ageing")
    finally:
        reader.close()
        pair.replica.sql("alter system reset hot_standby_feedback")
        pair.replica.sql("select pg_reload_conf()")


def _slots(pair: PostgresPair) -> dict[tuple[str, str], Measurement]:
    return read(PROBE, pair.primary.target())


def _holders(pair: PostgresPair) -> list[object]:
    with session_to(pair.primary.target()) as session:
        return [row["name"] for row in holders(session)]


@pytest.mark.servers
@pytest.mark.slow
def test_a_lost_slot_is_critical_and_its_bytes_never_read_as_zero(pair: PostgresPair) -> None:
    """Last of the module: the replica cannot come back."""
    pair.replica.sql("alter system set hot_standby_feedback = on")
    pair.replica.sql("select pg_reload_conf()")
    until(lambda: ("slot_held_xids", pair.slot) in _slots(pair), "feedback reaching the slot")
    pair.replica.stop()
    assert pair.slot in _holders(pair)
    rounds = iter(range(40))

    def lost() -> bool:
        assert next(rounds, None) is not None
        pair.primary.fill(16)
        pair.primary.sql("select pg_switch_wal()")
        pair.primary.sql("checkpoint")
        return _slots(pair)["slot_wal_status", pair.slot].value == 3

    until(lost, "the slot being lost")
    found = _slots(pair)
    assert found["slot_active", pair.slot].value == 0
    assert found["slot_invalidated", pair.slot].value == 1
    assert found.get(("slot_retained_bytes", pair.slot)) is None
    assert found["slot_wal_status", pair.slot].detail["status"] == "lost"
    assert title_of(PROBE, found, "slot_wal_status").endswith("replica1 is lost")
    kept = "select xmin is not null from pg_replication_slots where slot_name = %s"
    assert pair.primary.sql(kept, pair.slot) == [(True,)]
    assert pair.slot not in _holders(pair)  # though the view still shows what it held
    slots, settings = exhibits(PROBE, pair.primary.target())
    assert slots.rows[0][0] == pair.slot
    assert ("max_slot_wal_keep_size", "64", "MB") in settings.rows
    pair.primary.sql("select pg_drop_replication_slot(%s)", pair.slot)
    assert ("slot_active", pair.slot) not in _slots(pair)


# -- rules, on rows ---------------------------------------------------------------------------


def slot(**changes: Any) -> dict[str, Any]:
    """A physical slot that is being read."""
    return {
        "name": "replica1", "type": "physical", "database": None, "active": True, "used": True,
        "wal_status": "reserved", "retained_bytes": 5.0, "safe_bytes": None,
        "unconfirmed_bytes": None, "held_xids": None, "invalidation_reason": None,
        "conflicting": False, "synced": False, "failover": False, "inactive_since": None,
        "on_standby": False, "now": 1000.0,
    } | changes  # fmt: skip


def of(memory: Memory | None = None, **changes: Any) -> dict[str, float]:
    measured = slot_measurements([slot(**changes)], memory or Memory())
    return {m.measure: m.value for m in measured}


def test_a_slot_nobody_ever_used_misses_nobody() -> None:
    assert of(used=False, active=False, wal_status=None, retained_bytes=None) == {}


def test_a_slot_synchronised_from_a_primary_misses_nobody() -> None:
    assert "slot_active" not in of(active=False, synced=True)
    assert of(active=False, failover=True)["slot_active"] == 0


def test_inactivity_counts_from_what_the_server_says_or_else_from_when_it_was_first_seen() -> None:
    assert of(active=False, inactive_since=400.0)["slot_inactive_seconds"] == 600
    memory = Memory()
    assert of(memory, active=False)["slot_inactive_seconds"] == 0
    assert of(memory, active=False, now=1060.0)["slot_inactive_seconds"] == 60
    assert of(memory, active=True, now=1070.0)["slot_inactive_seconds"] == 0
    assert of(memory, active=False, now=1080.0)["slot_inactive_seconds"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"invalidation_reason": "idle_timeout", "used": False},
        {"conflicting": True},
        {"wal_status": "lost", "used": False, "retained_bytes": None},
    ],
)
def test_whatever_invalidated_a_slot_it_is_told_and_its_bytes_are_not(
    changes: dict[str, Any],
) -> None:
    found = of(active=False, held_xids=9e7, **changes)
    assert found["slot_invalidated"] == 1
    assert "slot_retained_bytes" not in found
    assert "slot_held_xids" not in found  # its xmin stays in the view and holds nothing back


def test_what_is_left_of_the_bound_is_a_share_of_it() -> None:
    found = of(retained_bytes=75.0, safe_bytes=25.0)
    assert found["slot_wal_used_ratio"] == 0.75
    assert "slot_wal_used_ratio" not in of(retained_bytes=75.0)


def test_the_table_of_slots_says_when_a_slot_became_inactive() -> None:
    since = 1_796_021_017.009
    table = listed([{"name": "a", "inactive_since": since}, {"name": "b", "inactive_since": None}])
    assert [row[1] for row in table.rows] == ["2026-11-30T06:43:37Z", "-"]
