"""The certificate, the clock and the canary, on real servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from probes import FailureKind, Measurement, ProbeError, registry
from probes.postgresql.connection import clock_skew, tls_certificate
from probes.postgresql.replication import receiving
from probes.postgresql.storage import write_canary
from probes.templates import clock_skew as clocks
from probes.wire import deadline
from tests.probes.postgresql.asking import again, read, session_to, title_of, values
from tests.servers.certificates import certify
from tests.servers.postgresql import MONITOR, PostgresPair, Server, until

pytestmark = pytest.mark.servers

Found = dict[tuple[str, str], Measurement]


def test_the_end_of_the_certificate_is_told_also_when_it_has_passed(single: Server) -> None:
    probe = tls_certificate.PROBE
    assert values(probe, single.target()) == {"tls_offered": 0}
    for days in (10, -2):
        certify(single, days)
        found: Found = until(partial(_ends_in, single, days), f"a certificate for {days} days")
        title = title_of(probe, found, "tls_certificate_expires_in_seconds")
        assert "CN=simpeg.example" in title
    assert found["tls_certificate_expires_in_seconds", ""].value < 0
    assert read(probe, single.target(host_name=str(single.folder))) == {}


def _ends_in(server: Server, days: int) -> Found | None:
    found = read(tls_certificate.PROBE, server.target())
    ends = found.get(("tls_certificate_expires_in_seconds", ""))
    return found if ends is not None and abs(ends.value - days * 86400) < 600 else None


def test_reading_the_certificate_of_a_frozen_server_ends_by_the_deadline(single: Server) -> None:
    single.freeze()
    try:
        started = time.monotonic()
        with deadline.within(0.4), pytest.raises(ProbeError):
            tls_certificate.certificate("127.0.0.1", single.port)
        assert time.monotonic() - started < 1
    finally:
        single.thaw()


def test_a_wrong_clock_is_told_by_how_much_and_which_way(single: Server) -> None:
    with session_to(single.target()) as session:
        assert again(clock_skew.PROBE, session)["clock_skew_seconds", ""].value < 1
        ahead = clocks.skew(session, clock_skew.NOW, lambda: time.time() - 90)
        assert ahead.value == pytest.approx(90, abs=1)
        title = title_of(clock_skew.PROBE, {("clock_skew_seconds", ""): ahead}, ahead.measure)
        assert "ahead of the agent's" in title
        slow = iter([1000.0, 1000.0 + 2 * (time.time() - 1000.0)])
        late = clocks.skew(session, clock_skew.NOW, lambda: next(slow))
        assert late.value == 0  # all of it may be the trip


@contextmanager
def canary(server: Server) -> Iterator[None]:
    """The table, by the very lines ``sigap grants postgresql --canary`` prints."""
    for grant in registry.engine("postgresql").options["canary"]:
        server.sql(grant.sql.format(user=MONITOR))
    try:
        yield
    finally:
        server.sql("drop schema sigap cascade")


def test_without_the_table_the_canary_is_silent_and_a_table_that_vanished_is_not(
    single: Server,
) -> None:
    with session_to(single.target()) as session:
        assert again(write_canary.PROBE, session) == {}
        with canary(single):
            found = again(write_canary.PROBE, session)
            assert found["canary_ok", ""].value == 1
            assert 0 < found["canary_commit_seconds", ""].value < 5
        with pytest.raises(ProbeError, match="is gone"):
            again(write_canary.PROBE, session)


def test_a_canary_that_may_not_write_is_blind_and_names_the_line(single: Server) -> None:
    with canary(single):
        single.sql(f"revoke update on sigap.canary from {MONITOR}")
        with pytest.raises(ProbeError) as caught:
            read(write_canary.PROBE, single.target())
        assert caught.value.failure.kind is FailureKind.BLIND
        assert f"GRANT SELECT, UPDATE ON sigap.canary TO {MONITOR};" in caught.value.failure.hint.en


def test_a_commit_that_hangs_on_a_synchronous_standby_is_told_once_and_never_piled_up(
    single: Server,
) -> None:
    probe = write_canary.PROBE
    ours = f"select count(*) from pg_stat_activity where usename = '{MONITOR}'"
    with canary(single), session_to(single.target(), 30) as session:
        assert again(probe, session)["canary_ok", ""].value == 1
        single.sql("alter system set synchronous_standby_names = 'hantu'")
        single.sql("select pg_reload_conf()")
        try:
            with deadline.within(1):
                first = again(probe, session)
            assert first["canary_ok", ""].value == 0
            assert "absent synchronous standby" in title_of(probe, first, "canary_ok")
            for _ in range(3):
                found = again(probe, session)
                assert found["canary_ok", ""].value == 0
            assert (
                found["canary_commit_seconds", ""].value > first["canary_commit_seconds", ""].value
            )
            assert single.sql(ours)[0][0] == 2  # the one that asks and the one that hangs
        finally:
            single.sql("alter system reset synchronous_standby_names")
            single.sql("select pg_reload_conf()")
        until(lambda: again(probe, session)["canary_ok", ""].value == 1, "commits ending again")


def test_a_primary_that_refuses_writes_fails_the_canary_with_its_reason(single: Server) -> None:
    with canary(single):
        single.sql("alter table sigap.canary add constraint tolak check (at is null) not valid")
        found = read(write_canary.PROBE, single.target())
        assert found["canary_ok", ""].value == 0
        assert "tolak" in title_of(write_canary.PROBE, found, "canary_ok")


def test_the_canarys_row_is_the_heartbeat_on_a_replica(pair: PostgresPair) -> None:
    with canary(pair.primary):
        read(write_canary.PROBE, pair.primary.target())
        pair.wait_streaming()
        with pair.paused_replay():
            first = values(write_canary.PROBE, pair.replica.target())["heartbeat_age_seconds"]
            read(write_canary.PROBE, pair.primary.target())
            assert (
                values(write_canary.PROBE, pair.replica.target())["heartbeat_age_seconds"] > first
            )
    pair.wait_streaming()


def test_a_heartbeat_that_nobody_writes_is_a_warning_of_its_own_and_no_stale_data(
    pair: PostgresPair,
) -> None:
    """The primary's agent is off: its row ages, while everything written there arrives here."""
    probe = write_canary.PROBE
    with canary(pair.primary):
        pair.primary.sql("update sigap.canary set at = clock_timestamp() - interval '20 minutes'")
        pair.wait_streaming()
        found = read(probe, pair.replica.target())
        assert found["heartbeat_age_seconds", ""].value >= 1200
        assert found["heartbeat_late_seconds", ""].value == 0
        assert found["heartbeat_unwritten_seconds", ""].value >= 1200
        assert f"all that {pair.primary.folder}:{pair.primary.port} has" in title_of(
            probe, found, "heartbeat_unwritten_seconds"
        )
        (unwritten,) = [t for t in probe.thresholds if t.measure == "heartbeat_unwritten_seconds"]
        assert unwritten.critical is None

        with pair.cut_receiver():
            found = read(probe, pair.replica.target())
            assert found["heartbeat_late_seconds", ""].value >= 1200
            assert found["heartbeat_unwritten_seconds", ""].value == 0
    pair.wait_streaming()


def test_a_replica_that_is_half_a_minute_behind_or_unheard_has_late_news() -> None:
    at = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
    row = {
        "now": at, "has_receiver": True, "status": "streaming", "silent_seconds": 5.0,
        "behind_bytes": 0.0, "last_replayed": at - timedelta(seconds=40),
        "latest_end_time": at - timedelta(seconds=40), "intended_seconds": 0.0,
    }  # fmt: skip
    assert receiving.is_current(row, None, 1200)
    assert not receiving.is_current({**row, "silent_seconds": 60.0}, None, 1200)
    behind = {**row, "behind_bytes": 1e6}
    assert not receiving.is_current(behind, None, 1200)
    assert not receiving.is_current(behind, at - timedelta(seconds=31), 1200)
    # a load without commits keeps the last replayed one old; it was caught up a moment ago
    moving = {**behind, "latest_end_time": at}
    assert receiving.is_current(moving, at - timedelta(seconds=2), 1200)
    assert not receiving.is_current(moving, at - timedelta(seconds=2), 3)
