"""A session with a real MariaDB keeps its deadline, changes nothing, and reports errors clearly."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from probes import FailureKind, ProbeError, Secret, Session, Target
from probes.mysql.connection.connect import connect
from probes.postgresql.connection.connect import open_session
from probes.wire import deadline
from tests.servers.dripping import DrippingProxy
from tests.servers.machine import free_port
from tests.servers.mariadb import MariaDB, eventually

pytestmark = pytest.mark.servers

LIMIT = 0.4
SLACK = 1.5
"""Two busy cores may wake us late; a deadline that is not kept is late by minutes, or for ever."""


@pytest.fixture
def proxy(primary: MariaDB) -> Iterator[DrippingProxy]:
    made = DrippingProxy(primary.port)
    yield made
    made.close()


def through(target: Target, port: int) -> Target:
    return replace(target, address=replace(target.address, port=port))


def opened(target: Target) -> Session:
    with deadline.within(10):
        return connect(target, "test")


def refusal(ask: Callable[[], object], seconds: float = 10.0) -> tuple[ProbeError, float]:
    started = time.monotonic()
    with pytest.raises(ProbeError) as caught, deadline.within(seconds):
        ask()
    return caught.value, time.monotonic() - started


def ends_by_the_deadline(ask: Callable[[], object]) -> None:
    error, took = refusal(ask, LIMIT)
    assert error.failure.kind is FailureKind.TIMEOUT, error
    assert LIMIT * 0.9 <= took < LIMIT + SLACK


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "socket"])
def test_a_session_knows_its_server_and_can_do_no_harm(primary: MariaDB, tcp: bool) -> None:
    session = opened(primary.target(tcp=tcp))
    with deadline.within(10):
        (row,) = session.rows(
            "SELECT @@lock_wait_timeout AS lock_wait, @@max_statement_time AS statement_limit, "
            "@@tx_read_only AS read_only, @@autocommit AS autocommit"
        )
    session.close()
    assert session.flavour == "mariadb"
    assert session.version // 10000 >= 10
    assert set(session.phases) == {"resolve", "connect", "login", "first_answer"}
    assert dict(row) == {"lock_wait": 2, "statement_limit": 5, "read_only": 1, "autocommit": 1}


def test_even_an_account_with_too_many_rights_cannot_write(primary: MariaDB) -> None:
    primary.sql(
        "CREATE OR REPLACE USER 'kuasa'@'%' IDENTIFIED BY 'rahasia-uji'",
        "GRANT ALL ON *.* TO 'kuasa'@'%'",
    )
    session = opened(primary.target(user="kuasa"))
    error, _ = refusal(lambda: session.rows("CREATE TABLE app.harm (id INT)"))
    session.close()
    assert "READ ONLY" in error.failure.message
    assert not primary.sql("SHOW TABLES FROM app LIKE 'harm'")


def test_a_socket_may_be_named_by_its_folder(primary: MariaDB) -> None:
    named = primary.folder / "mysqld.sock"
    named.symlink_to(primary.socket)
    target = primary.target(tcp=False)
    try:
        session = opened(replace(target, address=replace(target.address, host=str(primary.folder))))
        session.close()
    finally:
        named.unlink()


def test_a_kept_session_on_a_frozen_server_ends_by_the_deadline(primary: MariaDB) -> None:
    session = opened(primary.target())
    with primary.frozen():
        ends_by_the_deadline(lambda: session.rows("SELECT 1"))
        error, took = refusal(lambda: session.rows("SELECT 1"), LIMIT)
        assert took < SLACK, "a session that broke must not be waited for again"
        assert error.failure.kind is FailureKind.UNREACHABLE
        started = time.monotonic()
        session.close()
        assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "socket"])
def test_a_login_on_a_frozen_server_ends_by_the_deadline(primary: MariaDB, tcp: bool) -> None:
    with primary.frozen():
        ends_by_the_deadline(lambda: connect(primary.target(tcp=tcp), "test"))


def test_a_frozen_server_is_reached_and_one_behind_a_firewall_is_not(
    primary: MariaDB, proxy: DrippingProxy
) -> None:
    target = through(primary.target(), proxy.port)
    with primary.frozen():
        frozen, _ = refusal(lambda: connect(target, "test"), 0.4)
    with proxy.swallowing():
        hole, _ = refusal(lambda: connect(target, "test"), 0.4)
    assert frozen.failure.kind is hole.failure.kind is FailureKind.TIMEOUT
    assert (frozen.failure.reached, hole.failure.reached) == (True, False)
    opened(target).close()


def test_a_healthy_session_closes_at_once_even_when_the_server_froze(primary: MariaDB) -> None:
    session = opened(primary.target())
    with primary.frozen():
        started = time.monotonic()
        session.close()
        assert time.monotonic() - started < SLACK


def test_a_dripping_greeting_ends_by_the_deadline(primary: MariaDB, proxy: DrippingProxy) -> None:
    proxy.pace_seconds = 0.05
    ends_by_the_deadline(lambda: connect(through(primary.target(), proxy.port), "test"))


def test_a_dripping_answer_ends_by_the_deadline(primary: MariaDB, proxy: DrippingProxy) -> None:
    session = opened(through(primary.target(), proxy.port))
    proxy.pace_seconds = 0.05
    ends_by_the_deadline(lambda: session.rows("SHOW GLOBAL VARIABLES"))


def test_two_hundred_frozen_rounds_leave_no_descriptor_and_no_thread(primary: MariaDB) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    session = opened(primary.target())
    before, threads = held(), threading.active_count()
    with primary.frozen():
        for turn in range(200):
            target = primary.target(tcp=turn % 2 == 0)
            error, _ = refusal(lambda: connect(target, "test"), 0.02)  # noqa: B023 - called at once
            assert error.failure.kind is FailureKind.TIMEOUT, error
        refusal(lambda: session.rows("SELECT 1"), 0.02)
    assert threading.active_count() <= threads
    assert held() <= before  # the kept session's own descriptor is gone as well


def test_closing_says_goodbye_so_that_no_aborted_client_is_counted(primary: MariaDB) -> None:
    ask = "SHOW GLOBAL STATUS LIKE 'Aborted_clients'"
    before = primary.sql(ask)[0]["Value"]
    session = opened(primary.target())
    with deadline.within(10):
        mine = session.rows("SELECT connection_id() AS id")[0]["id"]
    session.close()
    listed = f"SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {mine}"
    eventually(lambda: not primary.sql(listed), "the session is gone from the server")
    assert primary.sql(ask)[0]["Value"] == before


def test_a_wrong_password_is_denied_and_not_called_down(primary: MariaDB) -> None:
    error, _ = refusal(lambda: connect(primary.target(password="keliru"), "test"))
    assert error.failure.kind is FailureKind.DENIED
    assert "1045" in error.failure.message
    assert "password_file" in error.failure.hint.en
    assert "keliru" not in str(error.failure)


def test_a_password_outside_latin_1_can_be_used(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'aksara'@'%' IDENTIFIED BY 'sandi-ꦱꦤ꧀ꦝꦶ'")
    opened(primary.target(user="aksara", password="sandi-ꦱꦤ꧀ꦝꦶ")).close()


def test_a_closed_port_is_refused(primary: MariaDB) -> None:
    error, _ = refusal(lambda: connect(through(primary.target(), free_port()), "test"))
    assert error.failure.kind is FailureKind.REFUSED
    assert "systemctl" in error.failure.hint.id


def test_a_server_of_another_engine_is_foreign_to_postgresql(primary: MariaDB) -> None:
    for options in ({}, {"sslmode": "disable"}):
        target = primary.target()
        address = replace(target.address, options=options)
        elsewhere = replace(target, engine="postgresql", address=address)
        error, _ = refusal(lambda: open_session(elsewhere, "test"))  # noqa: B023 - called at once
        assert error.failure.kind is FailureKind.REFUSED, error
        assert "agent.yaml" in error.failure.hint.en


def test_an_account_at_its_limit_is_exhausted(primary: MariaDB) -> None:
    primary.sql(
        "CREATE OR REPLACE USER 'sempit'@'%' IDENTIFIED BY 'rahasia-uji' "
        "WITH MAX_USER_CONNECTIONS 1"
    )
    target = primary.target(user="sempit")
    session = opened(target)
    error, _ = refusal(lambda: connect(target, "test"))
    session.close()
    assert error.failure.kind is FailureKind.EXHAUSTED
    assert "sempit" in error.failure.hint.en


def test_a_full_server_is_exhausted(primary: MariaDB) -> None:
    allowed = int(primary.sql("SELECT @@max_connections AS n")[0]["n"])
    primary.sql("CREATE OR REPLACE USER 'banyak'@'%' IDENTIFIED BY 'rahasia-uji'")
    primary.sql("SET GLOBAL max_connections = 10")
    held: list[Session] = []
    try:
        with pytest.raises(ProbeError) as caught, deadline.within(10):
            while len(held) < 20:
                held.append(connect(primary.target(user="banyak"), "test"))
        assert caught.value.failure.kind is FailureKind.EXHAUSTED
        assert "max_connections" in caught.value.failure.hint.en
    finally:
        for each in held:
            each.close()
        primary.sql(f"SET GLOBAL max_connections = {allowed}")


def test_a_killed_session_is_unreachable_and_a_new_one_works(primary: MariaDB) -> None:
    session = opened(primary.target())
    with deadline.within(10):
        mine = session.rows("SELECT connection_id() AS id")[0]["id"]
    primary.sql(f"KILL {mine}")
    error, _ = refusal(lambda: session.rows("SELECT 1"))
    assert error.failure.kind is FailureKind.UNREACHABLE
    opened(primary.target()).close()


def test_a_missing_right_is_blind_with_the_line_that_mends_it(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'buta'@'127.0.0.1' IDENTIFIED BY 'rahasia-uji'")
    session = opened(primary.target(user="buta"))
    for question, line in {
        "SHOW ALL SLAVES STATUS": "GRANT SLAVE MONITOR ON *.* TO 'buta'@'127.0.0.1';",
        "SELECT * FROM information_schema.INNODB_TRX": (
            "GRANT PROCESS ON *.* TO 'buta'@'127.0.0.1';"
        ),
        "SHOW MASTER STATUS": "GRANT BINLOG MONITOR ON *.* TO 'buta'@'127.0.0.1';",
    }.items():
        error, _ = refusal(lambda: session.rows(question))  # noqa: B023 - called at once, in the loop
        assert error.failure.kind is FailureKind.BLIND
        assert error.failure.hint.id.endswith(line)
        primary.sql(line)
        session.close()
        session = opened(primary.target(user="buta"))
        with deadline.within(10):
            session.rows(question)  # the line we print is enough
    session.close()


def test_a_question_the_server_does_not_know_is_broken_and_the_session_lives(
    primary: MariaDB,
) -> None:
    session = opened(primary.target())
    error, _ = refusal(lambda: session.rows("SHOW REPLICA WEATHER"))
    assert error.failure.kind is FailureKind.BROKEN
    with deadline.within(10):
        assert session.rows("SELECT %s AS said", ("it's",)) == [{"said": "it's"}]
    session.close()


def test_paths_are_where_the_server_really_writes(primary: MariaDB) -> None:
    session = opened(primary.target())
    with deadline.within(10):
        found = session.paths()
    session.close()
    assert found == {
        "data": str(primary.folder / "data"),
        "binlog": str(primary.folder / "binlog"),
        "relay": str(primary.folder / "relay"),
        "redo": str(primary.folder / "data"),
        "undo": str(primary.folder / "data"),
        "tmp": str(primary.folder / "tmp"),
        "log": str(primary.folder),
        "log_file": str(primary.folder / "error.log"),
    }


def test_a_secret_never_shows_in_a_session(primary: MariaDB) -> None:
    target = primary.target()
    assert target.address.password == Secret("rahasia-uji")
    assert "rahasia-uji" not in repr(target)
