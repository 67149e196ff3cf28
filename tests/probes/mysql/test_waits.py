"""Lock rows of MySQL 8 and 9 as a blocking picture (MariaDB's are tested live)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest

from probes import Address, FailureKind, ProbeError, Row, Session, Shared, Target
from probes.model import Memory
from probes.mysql.locks import blocked_sessions, open_transactions, sessionless
from probes.mysql.locks.blocked_sessions import cause, command, drawn
from probes.mysql.locks.blocking import roots
from probes.mysql.locks.lock_queries import (
    AGES,
    INFORMATION_SCHEMA,
    OLDEST_RUNNING,
    PERFORMANCE_SCHEMA,
    ROW_WAITERS,
    TRANSACTIONS,
    UNINSTRUMENTED,
)
from probes.mysql.locks.sessionless import REPORT
from probes.mysql.locks.waits import count, look

ASK = PERFORMANCE_SCHEMA
NOTHING: Row = {
    "row_waits": 0, "row_seconds": None, "metadata_waits": 0, "metadata_seconds": None,
    "instrumented": 1,
}  # fmt: skip


def transaction(trx: int, connection: int, *, waited: int | None = None, age: int = 90) -> Row:
    return {
        "trx_id": str(trx),
        "id": connection,
        "trx_state": "RUNNING" if waited is None else "LOCK WAIT",
        "trx_query": None if waited is None else "UPDATE t SET a = 5",
        "lock_id": None if waited is None else f"{trx}:1",
        "age": age,
        "waited": waited,
    }


def person(connection: int, command: str = "Query", state: str = "updating") -> Row:
    return {
        "id": connection, "user": "app", "host": "10.0.0.9", "db": "simpeg", "command": command,
        "state": state, "info": None,
    }  # fmt: skip


class MySQL9:
    """A session that answers by question."""

    flavour = "mysql"
    version = 90704
    target = Target("db", "mysql", Address("127.0.0.1", 3306, "sigap"))
    phases: Mapping[str, float] = {}

    def __init__(
        self,
        answers: Mapping[str, list[Row]],
        refusals: Mapping[str, Callable[[], list[Row]]] | None = None,
    ) -> None:
        self._answers = answers
        self._refusals = refusals or {}
        self.memory = Memory()

    @property
    def shared(self) -> Shared:
        return Shared()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        if sql in self._refusals:
            return self._refusals[sql]()
        return self._answers.get(sql, [])

    def fresh(self, database: str = "") -> AbstractContextManager[Session]:
        raise NotImplementedError

    def paths(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        return None


def test_row_locks_lead_to_the_idle_holder() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "row_waits": 2, "row_seconds": 41}],
            ROW_WAITERS: [transaction(12, 102, waited=41), transaction(13, 103, waited=7)],
            ASK.edges: [
                {"waiter": 12, "first": 11, "last": 11},
                {"waiter": 13, "first": 11, "last": 12},
            ],
            TRANSACTIONS: [transaction(11, 101)],
            ASK.tables: [{"id": "12:1", "name": "simpeg.pegawai"}],
            ASK.sessions: [person(101, "Sleep", ""), person(102), person(103)],
        }
    )
    picture = look(session)
    (root,) = roots(picture)
    assert (root.node.connection, root.victims, root.longest_seconds) == (101, 2, 41)
    assert root.table == "simpeg.pegawai"
    assert root.node.command == "Sleep"
    assert (picture.waiting, picture.longest_seconds) == (2, 41)
    assert "5" not in picture.nodes["102"].statement


def test_a_reader_behind_a_waiting_alter_leads_to_the_holder_for_sure() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "metadata_waits": 2, "metadata_seconds": 30}],
            ASK.metadata: [
                {"id": 202, "seconds": 30, "state": "Waiting for table metadata lock",
                 "info": "ALTER TABLE pegawai ADD x INT"},
                {"id": 203, "seconds": 9, "state": "Waiting for table metadata lock",
                 "info": "SELECT * FROM pegawai WHERE nik = '3171'"},
            ],
            ASK.granted: [
                {"waiter": 202, "blocker": 201, "name": "simpeg.pegawai"},
                {"waiter": 203, "blocker": 201, "name": "simpeg.pegawai"},
                {"waiter": 203, "blocker": 202, "name": "simpeg.pegawai"},
            ],
            ASK.sessions: [person(201, "Sleep", ""), person(202), person(203)],
            AGES: [{"id": 201, "age": 95}],
        }
    )  # fmt: skip
    picture = look(session)
    (root,) = roots(picture)
    assert (root.node.connection, root.victims, root.suspected) == (201, 2, False)
    assert root.node.transaction_seconds == 95
    assert root.table == "simpeg.pegawai"
    assert "3171" not in repr(picture)


def test_a_thread_of_the_servers_own_that_holds_is_named_as_such() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "metadata_waits": 1, "metadata_seconds": 30}],
            ASK.metadata: [
                {"id": 202, "seconds": 30, "state": "Waiting for table metadata lock",
                 "info": "ALTER TABLE pegawai ADD x INT"},
            ],
            ASK.granted: [
                {"waiter": 202, "blocker": None, "thread": 27, "name": "simpeg.pegawai",
                 "thread_name": "thread/innodb/dict_stats_thread"},
            ],
            ASK.sessions: [person(202)],
        }
    )  # fmt: skip
    picture = look(session)
    (root,) = roots(picture)
    assert (root.node.connection, root.victims, root.suspected) == (0, 1, False)
    assert "a thread of the server's own (thread/innodb/dict_stats_thread)" in cause(root, 0).en
    assert "KILL" not in command(root.node)
    assert [row[0] for row in drawn(picture).rows] == ["thread:27", "  └ 202"]


def test_without_the_instrument_the_oldest_transaction_is_only_suspected() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "metadata_waits": 1, "metadata_seconds": 30}],
            ASK.metadata: [{"id": 202, "seconds": 30, "state": "s", "info": "ALTER TABLE a"}],
            OLDEST_RUNNING: [transaction(9, 201, age=95)],
        }
    )
    (root,) = roots(look(session))
    assert (root.node.connection, root.suspected) == (201, True)


def test_a_transaction_younger_than_the_wait_is_no_suspect() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "metadata_waits": 1, "metadata_seconds": 30}],
            ASK.metadata: [{"id": 202, "seconds": 30, "state": "s", "info": "ALTER TABLE a"}],
            OLDEST_RUNNING: [transaction(9, 201, age=5)],
        }
    )
    (root,) = roots(look(session))
    assert root.node.connection == 0


def test_with_performance_schema_off_waiters_are_counted_and_the_root_is_a_suspect() -> None:
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "instrumented": 0}],
            UNINSTRUMENTED.count: [
                {**NOTHING, "row_waits": 1, "row_seconds": 20, "instrumented": 0}
            ],
            ROW_WAITERS: [transaction(11, 202, waited=20)],
            OLDEST_RUNNING: [transaction(9, 201)],
            UNINSTRUMENTED.sessions: [person(201, "Sleep"), person(202)],
        }
    )
    assert count(session) == (1, 20.0)
    (root,) = roots(look(session))
    assert (root.node.connection, root.victims, root.suspected) == (201, 1, True)


def test_mariadb_without_the_right_to_see_metadata_locks_names_a_suspect() -> None:
    def refused() -> list[Row]:
        raise ProbeError(FailureKind.BLIND, "(1142) SELECT command denied")

    old = INFORMATION_SCHEMA
    session = MySQL9(
        {
            old.count: [{**NOTHING, "metadata_waits": 1, "metadata_seconds": 30}],
            old.metadata: [{"id": 202, "seconds": 30, "state": "s", "info": "ALTER TABLE a"}],
            OLDEST_RUNNING: [transaction(9, 201)],
        },
        {ASK.granted: refused},
    )
    session.flavour = "mariadb"
    (root,) = roots(look(session))
    assert (root.node.connection, root.suspected) == (201, True)


def test_mariadb_that_shows_metadata_locks_names_the_holder() -> None:
    old = INFORMATION_SCHEMA
    session = MySQL9(
        {
            old.count: [{**NOTHING, "metadata_waits": 1, "metadata_seconds": 30}],
            old.metadata: [{"id": 202, "seconds": 30, "state": "s", "info": "ALTER TABLE a"}],
            ASK.granted: [{"waiter": 202, "blocker": 200, "name": "app.t"}],
        }
    )
    session.flavour = "mariadb"
    (root,) = roots(look(session))
    assert (root.node.connection, root.suspected, root.table) == (200, False, "app.t")


_XA = "XA RECOVER; XA ROLLBACK '…'"


@pytest.mark.parametrize(
    ("state", "report", "words", "command"),
    [
        ("RUNNING", ", ACTIVE (PREPARED) 9 sec recovered trx", "without a session", _XA),
        ("RUNNING", ", ACTIVE 9 sec recovered trx", "being rolled back by InnoDB", REPORT),
        ("ROLLING BACK", "", "being rolled back by InnoDB", REPORT),
    ],
)
def test_a_rollback_after_a_crash_is_no_prepared_transaction(
    state: str, report: str, words: str, command: str
) -> None:
    alone = {**transaction(11, 0), "trx_state": state}
    session = MySQL9(
        {
            ASK.count: [{**NOTHING, "row_waits": 1, "row_seconds": 41}],
            ROW_WAITERS: [transaction(12, 102, waited=41)],
            ASK.edges: [{"waiter": 12, "first": 11, "last": 11}],
            TRANSACTIONS: [alone],
            ASK.sessions: [person(102)],
            REPORT: [{"Status": f"TRANSACTIONS\n---TRANSACTION 11{report}\n1 lock struct(s)\n"}],
        }
    )
    (root,) = roots(look(session))
    assert words in blocked_sessions.named(root.node).en
    assert blocked_sessions.command(root.node) == command
    row = {**sessionless.told_apart(session, [alone], "trx_state")[0], "modified": 9}
    told = open_transactions.facts({**row, "state": row["trx_state"]})
    assert words in str(told["who"])
    assert told["command"] == command
