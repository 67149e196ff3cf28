"""An unwritten heartbeat is distinguished from a late one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probes.model import Memory
from probes.mysql.replication.channels import Channel
from probes.mysql.replication.heard import SILENT_SECONDS, is_current, silent_seconds

CALM = Channel(
    "default", "10.0.0.1:3306", "Yes", "Yes", 0, "", 0, "", 0.0, 0.0, 0, 100, "", "binlog.1:77", "",
    heartbeats=3,
)  # fmt: skip


def test_a_source_is_heard_while_heartbeats_or_changes_come() -> None:
    memory = Memory()
    assert silent_seconds(memory, CALM, 0, 1000.0) == 0, "the first look cannot know"
    assert silent_seconds(memory, CALM, 0, 1060.0) == 60
    assert silent_seconds(memory, replace(CALM, heartbeats=4), 0, 1070.0) == 0
    assert silent_seconds(memory, replace(CALM, heartbeats=4), 0, 1071.0) == 1
    assert silent_seconds(memory, replace(CALM, received="binlog.1:99"), 0, 1100.0) == 0


def test_each_channel_is_heard_for_itself() -> None:
    memory = Memory()
    for now in (0.0, 50.0):
        assert silent_seconds(memory, CALM, 7, now) == now
        assert silent_seconds(memory, replace(CALM, name="cabang"), int(now) + 1, now) == 0


def test_a_calm_replica_that_hears_its_source_is_not_late_whatever_the_age() -> None:
    assert is_current(CALM, 20.0, 86_400.0)


@pytest.mark.parametrize(
    "why",
    [
        {"io_state": "Connecting"},
        {"sql_state": "No"},
        {"seconds_behind": None},
        {"seconds_behind": 400.0},
    ],
)
def test_a_replica_that_is_behind_or_cut_off_is_late(why: dict[str, Any]) -> None:
    assert not is_current(replace(CALM, **why), 0.0, 500.0)


def test_a_receiver_on_a_dead_connection_is_late_although_it_says_zero() -> None:
    assert not is_current(CALM, SILENT_SECONDS, 500.0)


def test_a_lag_that_was_meant_is_no_lag() -> None:
    meant = replace(CALM, seconds_behind=3600.0, delay_seconds=3600.0)
    assert is_current(meant, 0.0, 500.0)
