"""Real transactions that are open, prepared, long or deadlocked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from probes import FailureKind, Probe, ProbeError
from probes.postgresql.locks import (
    blocked_sessions,
    deadlock_log,
    deadlocks,
    idle_in_transaction,
    lock_table,
    long_transactions,
    prepared_transactions,
)
from tests.probes.postgresql.asking import again, exhibits, read, session_to, title_of, values
from tests.servers.postgresql import NO_RIGHTS, Server, until

pytestmark = pytest.mark.servers


@contextmanager
def open_transaction(server: Server, *statements: str) -> Iterator[Any]:
    """A session that ran the statements and neither commits nor goes."""
    connection = server.connect()
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("set application_name = 'si-lupa'")
            for statement in statements:
                cursor.execute(statement)
        yield connection
    finally:
        connection.close()


def test_a_session_that_left_its_transaction_open_is_named(single: Server) -> None:
    probe = idle_in_transaction.PROBE
    assert values(probe, single.target())["idle_in_transaction_sessions"] == 0
    with open_transaction(single, "create table sisa (id int)") as holder:
        pid = holder.info.backend_pid
        until(
            lambda: values(probe, single.target())["idle_in_transaction_seconds"] > 0.2,
            "the session idling",
        )
        found = read(probe, single.target())
        assert found["idle_in_transaction_sessions", ""].value == 1
        title = title_of(probe, found, "idle_in_transaction_seconds")
        assert f"PID {pid} (postgres, si-lupa)" in title
        assert "has written" in title
        (table,) = exhibits(probe, single.target())
        assert "pg_terminate_backend" in table.rows[0][-1]
    until(lambda: values(probe, single.target())["idle_in_transaction_sessions"] == 0, "its going")


def test_the_oldest_transaction_and_the_holder_of_the_horizon_are_named(single: Server) -> None:
    probe = long_transactions.PROBE
    with open_transaction(
        single, "set transaction isolation level repeatable read", "select 'rahasia' from pg_class"
    ) as holder:
        for _ in range(30):
            single.sql("select txid_current()")
        found = read(probe, single.target())
        assert found["xmin_horizon_age", ""].value >= 30
        assert found["longest_transaction_seconds", ""].value > 0
        pid = holder.info.backend_pid
        assert f"held by session PID {pid} (postgres, si-lupa" in title_of(
            probe, found, "xmin_horizon_age"
        )
        longest, _holders = exhibits(probe, single.target())
        assert "rahasia" not in str(longest.rows)


def test_a_forgotten_prepared_transaction_is_named_and_holds_the_horizon(single: Server) -> None:
    single.sql("create table if not exists xa (id int)")
    with open_transaction(single, "insert into xa values (1)", "prepare transaction 'xa''7'"):
        pass
    try:
        for _ in range(10):
            single.sql("select txid_current()")
        found = read(prepared_transactions.PROBE, single.target(user=NO_RIGHTS))
        assert found["prepared_transactions", ""].value == 1
        title = title_of(prepared_transactions.PROBE, found, "oldest_prepared_seconds")
        assert "prepared transaction 'xa'7' of postgres" in title
        assert found["oldest_prepared_seconds", ""].detail["quoted"] == "xa''7"
        horizon = read(long_transactions.PROBE, single.target())
        assert "prepared transaction 'xa'7'" in title_of(
            long_transactions.PROBE, horizon, "xmin_horizon_age"
        )
    finally:
        single.sql("rollback prepared 'xa''7'")
    assert values(prepared_transactions.PROBE, single.target())["prepared_transactions"] == 0


def test_a_deadlock_is_counted_once_and_its_database_named(single: Server) -> None:
    probe = deadlocks.PROBE
    single.sql("create table if not exists silang (id int primary key, v int)")
    single.sql("insert into silang values (1, 0), (2, 0) on conflict do nothing")
    with session_to(single.target()) as session:
        assert again(probe, session) == {}
        _deadlock(single)
        found = until(lambda: _counted(probe, session), "the deadlock being counted")
        assert found["deadlocks_per_minute", ""].detail == {"database": "postgres", "count": 1}
        assert again(probe, session)["deadlocks_per_minute", ""].value == 0


def test_who_was_in_the_last_deadlock_is_read_from_the_servers_log(single: Server) -> None:
    probe = deadlocks.PROBE
    single.sql("create table if not exists silang (id int primary key, v int)")
    single.sql("insert into silang values (1, 0), (2, 0) on conflict do nothing")
    _deadlock(single)
    log = single.folder / f"{single.name}.log"
    here = single.target(host="db01", volumes={"log": str(log)})
    (shown,) = exhibits(probe, here)
    assert len(shown.rows) == 2
    first, second = (dict(zip(shown.columns, row, strict=True)) for row in shown.rows)
    assert (first["blocked by"], second["blocked by"]) == (second["pid"], first["pid"])
    assert first["statement"] == second["statement"] == "update silang set v = v + ? where id = ?"
    assert (first["outcome"], second["outcome"]) == ("rolled back", "")
    assert "table silang" in shown.note

    (elsewhere,) = exhibits(probe, single.target())
    assert "on the server's own host" in elsewhere.note
    (untold,) = exhibits(probe, single.target(host="db01"))
    assert untold.rows == shown.rows, "without a collector: the file of its standard error"


def test_a_deadlock_over_several_lines_is_read_whole_and_a_cut_one_is_not() -> None:
    log = (
        "2026-11-26 08:00:00.123 WITA [71] sigap@simpeg ERROR:  deadlock detected\n"
        "2026-11-26 08:00:00.123 WITA [71] sigap@simpeg DETAIL:  Process 71 waits for ShareLock on "
        "transaction 745; blocked by process 72.\n"
        "\tProcess 72 waits for AccessExclusiveLock on relation 16384 of database 5; blocked by "
        "process 71.\n"
        "\tProcess 71: update pegawai set nama = 'Siti\n"
        "\tAminah'\n"
        "\twhere nik = '6471'\n"
        "\tProcess 72: lock table pegawai\n"
        "2026-11-26 08:00:00.123 WITA [71] sigap@simpeg HINT:  See server log for query details.\n"
    )
    found = deadlock_log.last(log)
    assert found is not None
    assert found.at == "2026-11-26 08:00:00.123 WITA"
    assert [each.statement for each in found.parties] == [
        "update pegawai set nama = ? where nik = ?", "lock table pegawai",
    ]  # fmt: skip
    assert found.parties[1].waited_for == "relation 16384 of database 5"
    later = log + "2026-11-26 09:00:00 WITA [80] ERROR:  deadlock detected\n"
    assert deadlock_log.last(later) == found
    assert deadlock_log.last("2026-11-26 09:00:00 WITA [80] LOG:  checkpoint starting\n") is None


def _counted(probe: Probe, session: Any) -> Any:
    found = again(probe, session)
    return found if found["deadlocks_per_minute", ""].value > 0 else None


def _deadlock(server: Server) -> None:
    update = "update silang set v = v + 1 where id = "

    def other_way() -> None:
        with open_transaction(server, f"{update} 2") as second, second.cursor() as cursor:
            both.wait(10)
            try:
                cursor.execute(f"{update} 1")
            except psycopg2.Error as error:
                broken.append(error)

    broken: list[psycopg2.Error] = []
    both = threading.Barrier(2)
    thread = threading.Thread(target=other_way)
    thread.start()
    with open_transaction(server, f"{update} 1") as first, first.cursor() as cursor:
        both.wait(10)
        try:
            cursor.execute(f"{update} 2")
        except psycopg2.Error as error:
            broken.append(error)
    thread.join(10)
    assert len(broken) == 1
    assert "deadlock detected" in str(broken[0])


def test_a_transaction_that_locks_thousands_of_things_fills_the_lock_table(single: Server) -> None:
    probe = lock_table.PROBE
    assert values(probe, single.target())["lock_table_used_ratio"] < 0.05
    many = "select pg_advisory_xact_lock(n) from generate_series(1, 1200) n"
    with open_transaction(single, many) as holder:
        found = read(probe, single.target())
        assert found["lock_table_used_ratio", ""].value > 0.5
        title = title_of(probe, found, "lock_table_used_ratio")
        assert f"PID {holder.info.backend_pid} (postgres, si-lupa) holds 12" in title


def test_locks_are_counted_by_mode_also_those_nobody_holds(single: Server) -> None:
    probe = lock_table.PROBE
    calm = read(probe, single.target())
    assert {mode for measure, mode in calm if measure == "locks"} == set(lock_table.MODES)
    assert calm["locks", "ShareLock"].value == 0
    single.sql("create table if not exists pegawai (id int)")
    with (
        open_transaction(single, "lock table pegawai in share mode") as holder,
        _waiting(single, "begin; lock table pegawai in share row exclusive mode; commit"),
    ):
        assert read(probe, single.target())["locks", "ShareLock"].value == 1
        until(
            lambda: read(probe, single.target())["locks", "ShareRowExclusiveLock"].value == 1,
            "a lock that is waited for being counted",
        )
        holder.close()


def test_readers_behind_a_waiting_ddl_are_told_so_and_the_root_stays_who_it_waits_for(
    single: Server,
) -> None:
    probe = blocked_sessions.PROBE
    single.sql("create table if not exists pegawai (id int)")
    with (
        open_transaction(single, "select * from pegawai") as reader,
        _waiting(single, "alter table pegawai add column if not exists x int"),
    ):
        until(lambda: values(probe, single.target())["blocked_sessions"] == 1, "the DDL waiting")
        with _waiting(single, "select * from pegawai"):
            until(lambda: values(probe, single.target())["blocked_sessions"] == 2, "a reader")
            found = read(probe, single.target())
            title = title_of(probe, found, "blocked_seconds")
            assert f"2 sessions wait for PID {reader.info.backend_pid}" in title
            assert "1 of them queue behind the DDL of PID" in title
            assert "AccessExclusiveLock on public.pegawai" in title
            reader.close()


@contextmanager
def _waiting(server: Server, statement: str) -> Iterator[None]:
    thread = threading.Thread(target=server.sql, args=(statement,))
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "probe", [idle_in_transaction.PROBE, long_transactions.PROBE, lock_table.PROBE]
)
def test_without_sight_these_are_blind_and_name_the_grant(single: Server, probe: Probe) -> None:
    with pytest.raises(ProbeError) as caught:
        read(probe, single.target(user=NO_RIGHTS))
    assert caught.value.failure.kind is FailureKind.BLIND
    assert f"GRANT pg_monitor TO {NO_RIGHTS};" in caught.value.failure.hint.en
