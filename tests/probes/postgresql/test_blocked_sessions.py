"""The root of a lock queue is named, with real waiting sessions."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from probes import FailureKind, ProbeError, Text
from probes.postgresql.locks.blocked_sessions import PROBE
from probes.postgresql.locks.lock_queue import WAITERS_LOOKED_AT
from tests.probes.postgresql.asking import exhibits, read, values
from tests.servers.postgresql import MONITOR, NO_RIGHTS, PostgresPair, Server, bindir, until

pytestmark = pytest.mark.servers


def test_nobody_waiting_is_zero_and_not_blind(single: Server) -> None:
    assert values(PROBE, single.target()) == {
        "blocked_sessions": 0, "blocked_seconds": 0, "advisory_waiters": 0,
    }  # fmt: skip


def test_a_queue_names_its_root_and_counts_its_victims(single: Server) -> None:
    with single.hold_lock("antrean", victims=3) as holder:
        found = read(PROBE, single.target())
        blocked = found["blocked_sessions", ""]
        assert blocked.value == 3
        assert found["blocked_seconds", ""].value > 0
        assert blocked.detail["pid"] == holder
        assert blocked.detail["victims"] == 3
        assert blocked.detail["user"] == "postgres"
        assert blocked.detail["app"] == "si-pemegang"
        assert blocked.detail["state"] == "idle in transaction"
        assert blocked.detail["relation"] == "public.antrean"
        said = blocked.detail["blocker"]
        assert isinstance(said, Text)
        assert f"PID {holder} (postgres, si-pemegang, idle in transaction" in said.en
    assert values(PROBE, single.target())["blocked_sessions"] == 0


def test_the_wait_is_timed_from_its_own_start_and_not_from_the_statements(single: Server) -> None:
    single.sql("create table if not exists lambat (id int primary key)")
    single.sql("insert into lambat values (1) on conflict do nothing")
    holder = single.connect()
    holder.autocommit = False
    slow_then_waiting = (
        "do $$ begin perform pg_sleep(1.5); perform * from lambat for update; end $$;"
    )
    try:
        with holder.cursor() as cursor:
            cursor.execute("select * from lambat for update")
        with waiting(single, slow_then_waiting):
            until(lambda: values(PROBE, single.target())["blocked_sessions"] == 1, "the wait")
            assert values(PROBE, single.target())["blocked_seconds"] < 1.4
            holder.close()
    finally:
        holder.close()


@contextmanager
def waiting(single: Server, statement: str) -> Iterator[None]:
    """A session of its own that runs the statement; waited for at the end."""
    process = subprocess.Popen(
        [str(bindir() / "psql"), "-qX", "-h", str(single.folder), "-p", str(single.port),
         "-U", "postgres", "-c", statement, "postgres"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.wait(30)


def test_a_ddl_queue_leads_to_the_session_the_ddl_waits_for(single: Server) -> None:
    single.sql("create table if not exists ddl (id int)")
    reader = single.connect()
    reader.autocommit = False
    try:
        with reader.cursor() as cursor:
            cursor.execute("select count(*) from ddl")
        root = reader.info.backend_pid
        with waiting(single, "alter table ddl add column if not exists x int"):
            until(lambda: values(PROBE, single.target())["blocked_sessions"] == 1, "the DDL")
            with waiting(single, "select count(*) from ddl"):
                until(lambda: values(PROBE, single.target())["blocked_sessions"] == 2, "both")
                detail = read(PROBE, single.target())["blocked_sessions", ""].detail
                reader.close()
    finally:
        reader.close()
    assert detail["pid"] == root
    assert detail["victims"] == 2
    assert detail["relation"] == "public.ddl"


@pytest.mark.parametrize("statement", ["update dua set v = 1", "lock table dua"])
def test_a_prepared_transaction_is_the_root_by_its_name(single: Server, statement: str) -> None:
    single.sql("create table if not exists dua (id int primary key, v int)")
    single.sql("insert into dua values (1, 0) on conflict do nothing")
    preparing = single.connect()
    with preparing.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(statement)
        cursor.execute("prepare transaction 'bayar''gaji'")
    preparing.close()
    try:
        with waiting(single, "update dua set v = 2 where id = 1"):
            until(lambda: values(PROBE, single.target())["blocked_sessions"] == 1, "the wait")
            detail = read(PROBE, single.target())["blocked_sessions", ""].detail
            tree, commands = exhibits(PROBE, single.target())
            single.sql("rollback prepared 'bayar''gaji'")
    finally:
        if single.sql("select 1 from pg_prepared_xacts"):
            single.sql("rollback prepared 'bayar''gaji'")
    assert detail["pid"] == 0
    assert detail["gid"] == "bayar'gaji"
    assert "bayar'gaji" in str(detail["blocker"])
    assert tree.rows[0][0] == "prepared bayar'gaji"
    command = "ROLLBACK PREPARED 'bayar''gaji'; -- in database postgres, nowhere else"
    assert commands.rows == (("prepared", "1", command),)


def test_evidence_is_the_tree_without_literals_and_a_command_that_works(single: Server) -> None:
    with single.hold_lock("bukti", victims=2) as holder:
        tree, commands = exhibits(PROBE, single.target())
        assert tree.rows[0][0] == f"PID {holder}"
        assert [row[0].strip()[:5] for row in tree.rows[1:]] == ["└ PID", "└ PID"]
        statements = {row[tree.columns.index("statement")] for row in tree.rows}
        assert statements == {
            "update bukti set v = ? where id = ?",
            "update bukti set v = v + ? where id = ?;",
        }
        ((root, victims, command),) = commands.rows
        assert (root, victims) == (f"PID {holder}", "2")
        assert "pg_terminate_backend" in command
        # Sigap runs none of it; a person may, and it must be right.
        assert single.sql(command) == [(True,)]
        until(lambda: values(PROBE, single.target())["blocked_sessions"] == 0, "the release")


def test_without_grants_it_is_blind_and_never_zero_waiters(single: Server) -> None:
    with single.hold_lock("gelap"), pytest.raises(ProbeError) as caught:
        read(PROBE, single.target(user=NO_RIGHTS))
    assert caught.value.failure.kind is FailureKind.BLIND
    assert f"GRANT pg_monitor TO {NO_RIGHTS};" in caught.value.failure.hint.id


def test_the_granted_account_is_no_superuser(single: Server) -> None:
    assert single.sql("select rolsuper from pg_roles where rolname = %s", MONITOR) == [(False,)]


def test_an_advisory_queue_is_counted_apart(single: Server) -> None:
    leader = single.connect()
    try:
        with leader.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(1)")
        with waiting(single, "select pg_advisory_lock(1)"):
            until(lambda: values(PROBE, single.target())["advisory_waiters"] == 1, "the wait")
            assert values(PROBE, single.target())["blocked_sessions"] == 0
            leader.close()
    finally:
        leader.close()


@pytest.mark.slow
def test_a_long_queue_is_cut_counted_whole_and_says_so(single: Server) -> None:
    waiters = WAITERS_LOOKED_AT + 5
    single.settings["max_connections"] = str(waiters + 20)
    single.restart()
    with single.hold_lock("panjang", victims=waiters) as holder:
        found = read(PROBE, single.target())["blocked_sessions", ""]
        assert found.value == waiters
        assert found.detail["pid"] == holder
        tree, _ = exhibits(PROBE, single.target())
        assert tree.note == f"truncated to {WAITERS_LOOKED_AT} of {waiters} waiters"
        assert len(tree.rows) <= WAITERS_LOOKED_AT + 2


def test_who_waits_for_an_advisory_lock_is_not_the_root_of_those_behind_it(single: Server) -> None:
    single.sql("create table if not exists berantai (id int)")
    leader, middle = single.connect(), single.connect()
    root = leader.info.backend_pid
    middle.autocommit = False
    try:
        with leader.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(7)")
        with middle.cursor() as cursor:
            cursor.execute("lock table berantai")
        asks = threading.Thread(target=_asks, args=(middle, "select pg_advisory_lock(7)"))
        asks.start()
        until(lambda: values(PROBE, single.target())["advisory_waiters"] == 1, "the middle one")
        with waiting(single, "select count(*) from berantai"):
            until(lambda: values(PROBE, single.target())["blocked_sessions"] == 1, "the victim")
            found = read(PROBE, single.target())
            leader.close()
            asks.join(30)
            middle.close()
    finally:
        leader.close()
        middle.close()
    detail = found["blocked_sessions", ""].detail
    assert detail["pid"] == root
    assert found["blocked_sessions", ""].value == 1


def _asks(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_table_of_another_database_is_named_in_the_evidence(single: Server) -> None:
    single.sql("create database lain")
    try:
        with single.hold_lock("antre_lain", database="lain"):
            tree, _ = exhibits(PROBE, single.target())
            detail = read(PROBE, single.target())["blocked_sessions", ""].detail
    finally:
        single.sql("drop database lain with (force)")
    assert tree.rows[1][tree.columns.index("relation")] == "public.antre_lain"
    assert str(detail["relation"]).startswith("oid ")
    assert str(detail["relation"]).endswith(" (lain)")


def test_replay_that_blocks_a_reader_is_named_and_no_command_ends_it(pair: PostgresPair) -> None:
    pair.primary.sql("create table if not exists ddl_primer (id int)")
    pair.wait_streaming()
    alters = pair.primary.connect()
    alters.autocommit = False
    reader = pair.replica.connect()
    try:
        with alters.cursor() as cursor:
            cursor.execute("alter table ddl_primer add column x int")
        pair.primary.sql("select pg_switch_wal()")
        held = "select 1 from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation'"
        until(lambda: pair.replica.sql(held), "the lock arriving on the replica")
        asks = threading.Thread(target=_asks, args=(reader, "select count(*) from ddl_primer"))
        asks.start()
        target = pair.replica.target()
        until(lambda: values(PROBE, target)["blocked_sessions"] == 1, "the reader waiting")
        found = read(PROBE, target)
        tree, commands = exhibits(PROBE, target)
        alters.close()
        asks.join(30)
    finally:
        alters.close()
        reader.close()
    assert "replay of WAL on this replica" in str(found["blocked_sessions", ""].detail["blocker"])
    assert "Look on the primary" in str(found["blocked_sessions", ""].detail["ask"])
    assert tree.rows[0][1] == "startup"
    assert commands.rows == ()
