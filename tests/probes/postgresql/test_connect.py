"""Sessions end at the deadline, change nothing, and report errors clearly."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from probes import Address, Failure, FailureKind, ProbeError
from probes.postgresql.connection import errors, startup
from probes.postgresql.connection.connect import open_session, paths_from
from probes.wire import deadline, libpq_errors
from tests.probes.postgresql.asking import failure_of, session_to
from tests.servers.postgresql import (
    MONITOR_PASSWORD,
    NO_RIGHTS,
    PostgresPair,
    Server,
    free_port,
    until,
)

pytestmark = pytest.mark.servers

SLACK_SECONDS = 0.5


def test_a_login_to_a_frozen_server_ends_by_the_deadline(single: Server) -> None:
    single.freeze()
    try:
        started = time.monotonic()
        failure = failure_of(single.target(), seconds=0.5)
        assert time.monotonic() - started < 0.5 + SLACK_SECONDS
    finally:
        single.thaw()
    assert failure.kind is FailureKind.TIMEOUT


def test_a_question_to_a_frozen_server_ends_by_the_deadline_and_closing_does_not_wait(
    single: Server,
) -> None:
    with deadline.within(10):
        session = open_session(single.target(), "test")
        other = open_session(single.target(), "test")
    single.freeze()
    try:
        started = time.monotonic()
        with deadline.within(0.5), pytest.raises(ProbeError) as caught:
            session.rows("select 1")
        session.close()
        other.close()
        assert time.monotonic() - started < 0.5 + SLACK_SECONDS
    finally:
        single.thaw()
    assert caught.value.failure.kind is FailureKind.TIMEOUT


def test_many_frozen_rounds_leave_no_thread_and_no_descriptor(single: Server) -> None:
    failure_of(single.target(password="salah"))  # whatever is loaded once is loaded now
    with deadline.within(10):
        sessions = [open_session(single.target(), "test") for _ in range(3)]
    with deadline.within(10):
        for session in sessions:
            session.rows("select 1")
    gc.collect()
    gc.disable()  # what fails must be let go at once, not when the collector gets round to it
    descriptors = len(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    single.freeze()
    try:
        for session in sessions:
            with deadline.within(0.05), pytest.raises(ProbeError):
                session.rows("select 1")
            session.close()
        kinds = {failure_of(single.target(), seconds=0.03).kind for _ in range(100)}
        assert kinds == {FailureKind.TIMEOUT}
        assert threading.active_count() == threads
        assert len(os.listdir("/proc/self/fd")) == descriptors - len(sessions)
    finally:
        gc.enable()
        single.thaw()
    until(lambda: _can_log_in(single), "logins after the thaw")


def _can_log_in(server: Server) -> bool:
    try:
        with session_to(server.target()):
            return True
    except ProbeError:
        return False


def test_a_silent_first_address_does_not_hide_a_second_one_that_works(
    single: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", single.port))
        silent.listen()
        monkeypatch.setattr(deadline, "resolve", lambda host: ["127.0.0.2", "127.0.0.1"])
        with session_to(single.target(host_name="db.example"), seconds=2) as session:
            assert session.rows("select 1 as one") == [{"one": 1}]


def test_a_session_is_read_only_and_bounded_and_says_whose_it_is(single: Server) -> None:
    with session_to(single.target()) as session:
        settings = session.rows(
            "select current_setting('transaction_read_only') as read_only, "
            "current_setting('statement_timeout') as statement, "
            "current_setting('lock_timeout') as lock, "
            "current_setting('idle_in_transaction_session_timeout') as idle, "
            "current_setting('search_path') as path, "
            "current_setting('application_name') as name, "
            "current_setting('client_connection_check_interval') as alive"
        )[0]
        assert settings == {
            "read_only": "on", "statement": "5s", "lock": "250ms", "idle": "10s",
            "path": "pg_catalog", "name": "sigap/test", "alive": "500ms",
        }  # fmt: skip
        with pytest.raises(ProbeError, match="read-only transaction"):
            session.rows("create table public.hasil (id int)")
        assert session.version == single.connect().server_version
        assert set(session.phases) == {"resolve", "connect", "tls", "login", "first_answer"}


def test_ending_a_question_early_leaves_nothing_running_on_the_server(single: Server) -> None:
    with session_to(single.target()) as session:
        (row,) = session.rows("select pg_backend_pid() as pid")
        with deadline.within(0.2), pytest.raises(ProbeError):
            session.rows("select pg_sleep(4)")
    gone = "select 1 from pg_stat_activity where pid = %s"
    until(lambda: not single.sql(gone, row["pid"]), "the backend ending", seconds=3)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"password": "salah"}, FailureKind.DENIED, "password of account sigap is wrong"),
        ({"user": "orang_asing"}, FailureKind.DENIED, "pg_hba.conf line lets account orang_asing"),
        ({"database": "tidak_ada"}, FailureKind.DENIED, "Database tidak_ada does not exist"),
        ({"options": {"sslmode": "require"}}, FailureKind.DENIED, "TLS"),
        ({"options": {"sslmod": "require"}}, FailureKind.BROKEN, "libpq options"),
    ],
)
def test_a_rejected_login_names_its_cause(
    single: Server, changes: dict[str, Any], kind: FailureKind, words: str
) -> None:
    failure = failure_of(single.target(**changes))
    assert failure.kind is kind
    assert words in failure.hint.en
    assert failure.hint.id and failure.hint.id != failure.hint.en
    assert MONITOR_PASSWORD not in failure.message


def test_a_missing_database_is_not_a_rejected_account(single: Server) -> None:
    said = failure_of(single.target(database="tidak_ada")).said
    assert said.en == "does not offer the database tidak_ada to sigap"
    assert said.id == "tidak menyediakan basis data tidak_ada bagi sigap"


def test_a_reject_line_is_named_and_no_further_line_is_asked_for(single: Server) -> None:
    rules = single.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all sigap all reject\n{before}")
    single.sql("select pg_reload_conf()")
    try:
        failure = until(lambda: _shut_out(single), "the reject line being read")
        words = "line_number, type, database, user_name, address"
        found = single.sql(f"SELECT {words} FROM pg_hba_file_rules WHERE auth_method = 'reject'")
    finally:
        rules.write_text(before)
        single.sql("select pg_reload_conf()")
        until(lambda: _can_log_in(single), "the account being let in again")
    assert failure.kind is FailureKind.DENIED
    assert failure.said.en == "rejects the monitoring account sigap by a line in pg_hba.conf"
    assert f"SELECT {words} FROM pg_hba_file_rules WHERE auth_method = 'reject'" in failure.hint.en
    assert "add one" not in failure.hint.en
    assert [row[0] for row in found] == [1]


def _shut_out(server: Server) -> Failure | None:
    try:
        with session_to(server.target()):
            return None
    except ProbeError as error:
        return error.failure


def test_a_closed_port_and_a_missing_socket_are_refusals(single: Server) -> None:
    target = single.target()
    closed = replace(target, address=replace(target.address, port=free_port()))
    failure = failure_of(closed)
    assert failure.kind is FailureKind.REFUSED
    assert f"127.0.0.1 port {closed.address.port}" in failure.message
    socket_at = replace(closed, address=replace(closed.address, host=str(single.folder)))
    assert failure_of(socket_at).kind is FailureKind.REFUSED


def test_no_slot_left_is_exhausted_and_not_down(single: Server) -> None:
    single.sql("alter role sigap connection limit 1")
    try:
        with session_to(single.target()):
            failure = failure_of(single.target())
    finally:
        single.sql("alter role sigap connection limit 6")
    assert failure.kind is FailureKind.EXHAUSTED
    assert "pg_stat_activity" in failure.hint.en
    assert failure.said.en == "has reached the connection limit of account sigap itself"
    assert "ALTER ROLE sigap CONNECTION LIMIT" in failure.hint.en


def test_a_limit_of_the_account_or_of_the_database_is_not_the_servers_own() -> None:
    def failure(message: str) -> Failure:
        said = psycopg2.OperationalError(
            f'connection to server at "db01" failed: FATAL:  {message}'
        )
        return errors.of_login(said, Address("db01", 5432, "sigap", "simpeg")).failure

    assert "account sigap itself" in failure('too many connections for role "sigap"').said.en
    assert "database simpeg" in failure('too many connections for database "simpeg"').said.en
    assert not failure("sorry, too many clients already").said.en


def test_a_unix_socket_is_a_way_in(single: Server) -> None:
    target = single.target(host_name=str(single.folder))
    with session_to(target) as session:
        assert session.rows("select inet_client_addr() as client") == [{"client": None}]


def test_a_question_behind_a_catalogue_lock_gives_up_blind(single: Server) -> None:
    holder = single.connect()
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            cursor.execute("lock table pg_catalog.pg_description in access exclusive mode")
        with session_to(single.target()) as session, pytest.raises(ProbeError) as caught:
            session.rows("select count(*) from pg_description")
    finally:
        holder.close()
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "blocked_sessions" in caught.value.failure.hint.en


def test_a_statement_the_server_cancels_is_blind_and_the_session_lives(single: Server) -> None:
    with session_to(single.target()) as session:
        session.rows("set statement_timeout = 50")
        with pytest.raises(ProbeError) as caught:
            session.rows("select pg_sleep(2)")
        assert caught.value.failure.kind is FailureKind.BLIND
        assert session.rows("select 1 as one") == [{"one": 1}]


def test_an_unknown_column_is_blind(single: Server) -> None:
    with session_to(single.target()) as session, pytest.raises(ProbeError) as caught:
        session.rows("select no_such_column from pg_stat_activity")
    assert caught.value.failure.kind is FailureKind.BLIND


def test_without_grants_the_paths_are_blind_with_the_grant_line(single: Server) -> None:
    with session_to(single.target(user=NO_RIGHTS)) as session, pytest.raises(ProbeError) as caught:
        session.paths()
    assert caught.value.failure.kind is FailureKind.BLIND
    assert f"GRANT pg_monitor TO {NO_RIGHTS};" in caught.value.failure.hint.id


def test_paths_name_data_wal_and_tablespaces(single: Server) -> None:
    place = single.folder / "ruang"
    place.mkdir()
    stat = single.folder.stat()
    os.chown(place, stat.st_uid, stat.st_gid)
    single.sql(f"create tablespace ruang location '{place}'")
    with session_to(single.target()) as session:
        assert session.paths() == {
            "data": str(single.data),
            "wal": f"{single.data}/pg_wal",
            "tablespace:ruang": str(place),
        }


def test_the_collectors_log_and_temporary_tablespace_are_paths_too() -> None:
    settings = {"data": "/d", "log": "log", "collects_log": True, "temp": '"cepat"'}
    assert paths_from(settings, [{"name": "cepat", "location": "/ssd"}]) == {
        "data": "/d", "wal": "/d/pg_wal", "log": "/d/log", "temp": "/ssd",
        "tablespace:cepat": "/ssd",
    }  # fmt: skip


def test_a_session_that_the_server_ended_says_so_and_is_not_a_bug() -> None:
    from tests.servers import postgresql

    with postgresql.single() as server, session_to(server.target()) as session:
        server.stop()
        kinds = []
        for _ in range(2):
            with pytest.raises(ProbeError) as caught:
                session.rows("select 1")
            kinds.append(caught.value.failure.kind)
        assert kinds[0] in {FailureKind.REFUSED, FailureKind.UNREACHABLE}
        assert kinds[1] is FailureKind.UNREACHABLE


def test_a_server_that_takes_no_logins_yet_is_refused_and_not_denied(pair: PostgresPair) -> None:
    replica = pair.replica
    replica.stop()
    replica.settings["hot_standby"] = "off"
    replica.launch()
    try:
        until(lambda: "not accepting" in failure_of(replica.target()).message, "the refusal")
        failure = failure_of(replica.target())
        assert failure.kind is FailureKind.REFUSED
        assert "starting or recovering" in failure.hint.en
        with deadline.within(5):
            assert startup.sqlstate(replica.target().address, "127.0.0.1") == "57P03"
    finally:
        replica.stop()
        replica.settings["hot_standby"] = "on"
        replica.start()


def test_the_code_of_a_refused_login_is_learnt_without_a_password(single: Server) -> None:
    with deadline.within(5):
        stranger = single.target(user="orang_asing").address
        assert startup.sqlstate(stranger, "127.0.0.1") == "28000"
        known = single.target().address
        assert startup.sqlstate(known, "127.0.0.1") == startup.SOME_AUTHENTICATION


def test_a_refusal_in_words_nobody_knows_is_asked_for_its_code(
    single: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libpq_errors, "by_text", lambda known, message: None)
    failure = failure_of(single.target(user="orang_asing"))
    assert failure.kind is FailureKind.DENIED


def test_a_wrong_password_is_tried_once_however_many_addresses_there_are(
    single: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try counts towards whatever locks accounts."""
    monkeypatch.setattr(deadline, "resolve", lambda host: ["127.0.0.1"] * 3)
    before = single.log_tail(10**6).count("password authentication failed")
    failure_of(single.target(host_name="db.example", password="salah"))
    assert single.log_tail(10**6).count("password authentication failed") == before + 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("57P03", FailureKind.REFUSED),
        ("53300", FailureKind.EXHAUSTED),
        ("28000", FailureKind.DENIED),
        (None, FailureKind.BROKEN),
    ],
)
def test_a_login_refused_in_another_language_is_known_by_its_code(
    single: Server, code: str | None, kind: FailureKind
) -> None:
    said = psycopg2.OperationalError(
        'connection to server at "127.0.0.1", port 5432 failed: FATAL:  maaf, belum bisa'
    )
    assert libpq_errors.server_answered(said)
    assert libpq_errors.server_answered(psycopg2.OperationalError("FATAL :  maaf, belum bisa"))
    assert not libpq_errors.server_answered(psycopg2.OperationalError("Connection refused"))
    assert not errors.is_known_login(said)
    failure = errors.of_login(said, single.target().address, code).failure
    assert failure.kind is kind
