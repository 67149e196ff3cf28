"""The pair of kept session and fresh login, and the role."""

from __future__ import annotations

import pytest

from probes import ProbeError, deadline
from probes.postgresql.availability import PROBE
from probes.postgresql.connect import open_session
from tests.probes.postgresql.asking import read, values
from tests.servers.postgresql import NO_RIGHTS, PostgresPair

pytestmark = pytest.mark.servers


def test_a_healthy_primary_is_up_and_takes_logins(pair: PostgresPair) -> None:
    found = values(PROBE, pair.primary.target())
    assert 0 < found.pop("login_seconds") < 5
    assert found.pop("start_time_seconds") == pytest.approx(
        pair.primary.sql("select extract(epoch from pg_postmaster_start_time())::float8")[0][0]
    )
    assert found == {"up": 1, "fresh_login_ok": 1, "in_recovery": 0, "read_only": 0}


def test_availability_needs_no_right_but_to_log_in(pair: PostgresPair) -> None:
    assert values(PROBE, pair.primary.target(user=NO_RIGHTS))["up"] == 1


def test_a_replica_is_not_called_read_only(pair: PostgresPair) -> None:
    found = values(PROBE, pair.replica.target())
    assert (found["in_recovery"], found["read_only"]) == (1, 0)


def test_a_primary_that_refuses_writes_is_seen_although_our_own_session_is_read_only(
    pair: PostgresPair,
) -> None:
    pair.primary.sql("alter role sigap set default_transaction_read_only = on")
    try:
        assert values(PROBE, pair.primary.target())["read_only"] == 1
    finally:
        pair.primary.sql("alter role sigap reset default_transaction_read_only")
    assert values(PROBE, pair.primary.target())["read_only"] == 0


def test_the_wrong_role_is_named_with_both_roles(pair: PostgresPair) -> None:
    right = read(PROBE, pair.replica.target(role="replica"))["role_as_expected", ""]
    wrong = read(PROBE, pair.replica.target(role="primary"))["role_as_expected", ""]
    assert right.value == 1
    assert wrong.value == 0
    assert wrong.detail == {"expected": "primary", "actual": "replica"}


def test_a_broken_login_beside_a_living_session_is_told_apart_from_down(pair: PostgresPair) -> None:
    with deadline.within(10):
        kept = open_session(pair.primary.target(), "kept")
    pair.primary.sql("alter role sigap nologin")
    try:
        with deadline.within(5):
            found = {m.measure: m for m in PROBE.read(kept)}
    finally:
        pair.primary.sql("alter role sigap login")
        kept.close()
    assert found["up"].value == 1
    assert found["fresh_login_ok"].value == 0
    assert found["fresh_login_ok"].detail["kind"] == "denied"
    assert "not permitted to log in" in str(found["fresh_login_ok"].detail["reason"])
    assert "login_seconds" not in found


def test_a_frozen_server_fails_the_reading_itself(pair: PostgresPair) -> None:
    with deadline.within(10):
        kept = open_session(pair.primary.target(), "kept")
    pair.primary.freeze()
    try:
        with deadline.within(0.3), pytest.raises(ProbeError) as caught:
            list(PROBE.read(kept))
    finally:
        pair.primary.thaw()
        kept.close()
    assert caught.value.failure.kind == "timeout"
    assert PROBE.judged_on_failure == "up"
