"""Sessions with the console end at the deadline, send no settings, and report errors clearly."""

from __future__ import annotations

import socket
import time

import pytest

from probes import Failure, FailureKind, ProbeError, Target
from probes.pgbouncer.connect import open_session
from probes.wire import deadline
from tests.servers.machine import free_port
from tests.servers.pgbouncer import DATABASE, STRANGER, PgBouncer

pytestmark = pytest.mark.servers

SLACK_SECONDS = 0.5


def failure_of(target: Target, seconds: float = 5.0, database: str = "") -> Failure:
    """Why a login fails, to the console or through a database's pool."""
    with pytest.raises(ProbeError) as caught, deadline.within(seconds):
        session = open_session(target, "test")
        try:
            with session.fresh(database):
                pass
        finally:
            session.close()
    return caught.value.failure


def test_the_console_tells_its_version_and_what_it_logs_to(pooler: PgBouncer) -> None:
    with deadline.within(5):
        session = open_session(pooler.target(), "test")
        try:
            assert session.flavour == "pgbouncer"
            assert f"{session.version // 10000}.{session.version // 100 % 100}" in str(
                session.rows("SHOW VERSION")
            )
            assert session.paths() == {
                "config": str(pooler.folder),
                "log": str(pooler.folder / "pgbouncer.log"),
            }
            assert set(session.phases) >= {"resolve", "connect", "login", "first_answer"}
        finally:
            session.close()


def test_a_further_session_goes_through_the_pool_of_the_database_that_is_named(
    pooler: PgBouncer,
) -> None:
    with deadline.within(5):
        session = open_session(pooler.target(database=DATABASE), "test")
        try:
            with session.fresh() as through:
                assert through.rows("select current_database() as name") == [{"name": "postgres"}]
        finally:
            session.close()


def test_a_frozen_pooler_costs_no_more_than_the_deadline(pooler: PgBouncer) -> None:
    with deadline.within(5):
        kept = open_session(pooler.target(), "test")
    pooler.freeze()
    try:
        started = time.monotonic()
        failure = failure_of(pooler.target(), seconds=0.5)
        with deadline.within(0.5), pytest.raises(ProbeError) as caught:
            kept.rows("SHOW VERSION")
        kept.close()
        assert time.monotonic() - started < 1.0 + 2 * SLACK_SECONDS
    finally:
        pooler.thaw()
    assert (failure.kind, caught.value.failure.kind) == (FailureKind.TIMEOUT, FailureKind.TIMEOUT)
    assert "RESUME" in failure.hint.en


def test_each_refusal_is_named_with_the_next_move(pooler: PgBouncer) -> None:
    wrong = failure_of(pooler.target(password="bukan-ini"))
    assert (wrong.kind, "auth_file" in wrong.hint.en) == (FailureKind.DENIED, True)
    closed = failure_of(pooler.target(port=free_port()))
    assert (closed.kind, "listen_port" in closed.hint.en) == (FailureKind.REFUSED, True)
    unknown = failure_of(pooler.target(), database="tidak_ada")
    assert (unknown.kind, "[databases]" in unknown.hint.en) == (FailureKind.DENIED, True)


def test_an_account_that_may_not_look_is_told_the_line_to_write(pooler: PgBouncer) -> None:
    failure = failure_of(pooler.target(user=STRANGER, password=STRANGER))
    assert failure.kind is FailureKind.DENIED
    assert f"stats_users = {STRANGER}" in failure.hint.en


def test_a_disabled_database_is_told_with_the_word_that_heals_it(pooler: PgBouncer) -> None:
    pooler.admin(f"DISABLE {DATABASE}")
    try:
        failure = failure_of(pooler.target(), database=DATABASE)
    finally:
        pooler.admin(f"ENABLE {DATABASE}")
    assert failure.kind is FailureKind.REFUSED
    assert f"ENABLE {DATABASE};" in failure.hint.en


def test_a_port_that_takes_connections_and_says_nothing_is_no_outage_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = PgBouncer.target(_At(silent.getsockname()[1]))  # type: ignore[arg-type]  # a port is all it takes
        started = time.monotonic()
        assert failure_of(target, seconds=0.5).kind is FailureKind.TIMEOUT
        assert time.monotonic() - started < 0.5 + SLACK_SECONDS


class _At:
    """A place without a pooler."""

    def __init__(self, port: int) -> None:
        self.port = port
