"""Expected standbys, commits that wait for one, and queries cancelled by replay."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from probes import FailureKind, Measurement, ProbeError
from probes.postgresql.replication import recovery_conflicts, standbys
from tests.probes.postgresql.asking import again, exhibits, read, session_to, title_of
from tests.servers.postgresql import NO_RIGHTS, PostgresPair, until

Found = dict[tuple[str, str], Measurement]


@pytest.mark.servers
def test_an_expected_standby_that_is_missing_is_told_by_name(pair: PostgresPair) -> None:
    target = pair.primary.target(labels={standbys.LABEL: f"{pair.slot}, cadangan"})
    found = read(standbys.PROBE, target)
    assert found["standby_connected", pair.slot].value == 1
    missing = {("standby_connected", ""): found["standby_connected", "cadangan"]}
    assert missing["standby_connected", ""].value == 0
    assert "standby cadangan is not connected (there are: replica1)" in title_of(
        standbys.PROBE, missing, "standby_connected"
    )
    (table,) = exhibits(standbys.PROBE, target)
    assert table.rows[0][0] == pair.slot


@pytest.mark.servers
def test_commits_that_hang_for_want_of_a_synchronous_standby_are_told(pair: PostgresPair) -> None:
    assert _missing(pair) == 0
    try:
        _synchronous(pair, f"ANY 1 ({pair.slot})")
        until(lambda: pair.primary.sql(_SYNC)[0][0] == 1, "the standby being synchronous")
        assert _missing(pair) == 0
        _synchronous(pair, f"2 ({pair.slot}, hantu)")
        found = until(lambda: _short(pair), "one being missing")
        title = title_of(standbys.PROBE, found, "synchronous_standbys_missing")
        assert "1 of 2 synchronous standbys are there" in title
    finally:
        pair.primary.sql("alter system reset synchronous_standby_names")
        pair.primary.sql("select pg_reload_conf()")
    until(lambda: _missing(pair) == 0, "nobody being missed")


_SYNC = "select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum')"


def _synchronous(pair: PostgresPair, names: str) -> None:
    pair.primary.sql(f"alter system set synchronous_standby_names = '{names}'")
    pair.primary.sql("select pg_reload_conf()")


def _missing(pair: PostgresPair) -> float:
    found = read(standbys.PROBE, pair.primary.target())
    return found["synchronous_standbys_missing", ""].value


def _short(pair: PostgresPair) -> Found | None:
    found = read(standbys.PROBE, pair.primary.target())
    return found if found["synchronous_standbys_missing", ""].value else None


@pytest.mark.parametrize(
    ("names", "count"),
    [("", 0), ("a", 1), ("*", 1), ("a, b", 1), ("2 (a, b, c)", 2), ("FIRST 3 (*)", 3),
     ("any 2 (a,b)", 2)],
)  # fmt: skip
def test_how_many_standbys_a_commit_waits_for(names: str, count: int) -> None:
    assert standbys.needed(names) == count


@pytest.mark.servers
def test_without_sight_standbys_are_blind(pair: PostgresPair) -> None:
    with pytest.raises(ProbeError) as caught:
        read(standbys.PROBE, pair.primary.target(user=NO_RIGHTS))
    assert caught.value.failure.kind is FailureKind.BLIND


@pytest.mark.servers
def test_a_report_cancelled_by_replay_is_counted_with_its_kind(pair: PostgresPair) -> None:
    probe = recovery_conflicts.PROBE
    pair.primary.sql("create table laporan as select n from generate_series(1, 1000) n")
    pair.wait_streaming()
    pair.replica.sql("alter system set max_standby_streaming_delay = 0")
    pair.replica.sql("select pg_reload_conf()")
    reader = pair.replica.connect()
    reader.autocommit = False
    try:
        with session_to(pair.replica.target(), 30) as session, reader.cursor() as cursor:
            again(probe, session)
            cursor.execute("set transaction isolation level repeatable read")
            cursor.execute("select count(*) from laporan")
            pair.primary.sql("delete from laporan")
            pair.primary.sql("vacuum laporan")
            with pytest.raises(psycopg2.Error):
                until(lambda: cursor.execute("select count(*) from laporan"), "the conflict")
            found: Any = until(lambda: _conflicts(session), "the conflict being counted")
            title = title_of(probe, found, "recovery_conflicts_per_minute")
            assert "most because of VACUUM removed old rows" in title
    finally:
        reader.close()
        pair.replica.sql("alter system reset max_standby_streaming_delay")
        pair.replica.sql("select pg_reload_conf()")
    assert read(probe, pair.primary.target()) == {}


def _conflicts(session: Any) -> Found | None:
    found = again(recovery_conflicts.PROBE, session)
    return found if found["recovery_conflicts_per_minute", ""].value else None
