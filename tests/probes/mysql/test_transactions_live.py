"""Long, idle and deadlocked transactions and the history they keep, on a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pymysql
import pytest

from probes import FailureKind, Severity
from probes.model import Limits, Tuning
from tests.probes.mysql.asking import english, measured, reading, settled, shown, watched
from tests.servers.mariadb import Holder, MariaDB
from tests.servers.mariadb import eventually as until

pytestmark = pytest.mark.servers

SECRET = "3171234567890001"


@pytest.fixture
def table(primary: MariaDB) -> str:
    primary.sql(
        "CREATE OR REPLACE TABLE app.gaji (id INT PRIMARY KEY, nik VARCHAR(20), v INT)",
        f"INSERT INTO app.gaji VALUES (1, '{SECRET}', 1), (2, '{SECRET}', 2)",
    )
    return "app.gaji"


@pytest.fixture
def idle(primary: MariaDB, table: str) -> Iterator[Holder]:
    holder = Holder(primary, f"UPDATE {table} SET v = 3 WHERE nik = '{SECRET}'")
    settled()
    yield holder
    holder.let_go()


def test_no_open_transaction_is_nought(primary: MariaDB) -> None:
    def quiet() -> bool:
        settled()
        return (
            measured("long_transactions", primary.target())["longest_transaction_seconds"].value
            == 0
        )

    until(quiet, "nobody has a transaction open")
    found = measured("idle_in_transaction", primary.target())
    assert {name: each.value for name, each in found.items()} == {
        "idle_in_transaction_sessions": 0,
        "idle_in_transaction_seconds": 0,
    }


def test_who_went_away_with_a_transaction_is_named(primary: MariaDB, idle: Holder) -> None:
    until(
        lambda: (
            measured("idle_in_transaction", primary.target())["idle_in_transaction_seconds"].value
            >= 1
        ),
        "the holder has idled for a second",
    )
    limits = {"idle_in_transaction_seconds": Limits(warning=1)}
    target = primary.target(probes={"idle_in_transaction": Tuning(thresholds=limits)})
    with watched(target) as agent:
        verdict = agent.findings("idle_in_transaction")["idle_in_transaction_seconds"]
    assert verdict.severity is Severity.WARNING
    assert f"session {idle.id} (" in verdict.title.en
    assert "2 rows changed" in verdict.title.en
    assert f"KILL {idle.id}" in verdict.hint.en
    (exhibit,) = shown("idle_in_transaction", primary.target())
    assert [row[0] for row in exhibit.rows] == [str(idle.id)]
    assert SECRET not in repr(exhibit)


def test_the_oldest_transaction_is_found_even_where_it_only_reads(
    primary: MariaDB, table: str
) -> None:
    holder = Holder(primary, f"SELECT * FROM {table}")

    def aged() -> bool:
        settled()
        found = measured("long_transactions", primary.target())["longest_transaction_seconds"]
        return found.value >= 1 and f"session {holder.id} " in english(found.detail["who"])

    try:
        until(aged, "the reader's transaction has some age")
    finally:
        holder.let_go()


def test_a_prepared_transaction_that_nobody_ends_is_named_as_such(
    primary: MariaDB, table: str
) -> None:
    with primary.admin() as gone, gone.cursor() as cursor:
        for each in (
            "XA START 'x9'", f"UPDATE {table} SET v = 9 WHERE id = 1", "XA END 'x9'",
            "XA PREPARE 'x9'",
        ):  # fmt: skip
            cursor.execute(each)

    def seen() -> bool:
        settled()
        (exhibit,) = shown("long_transactions", primary.target())
        return any(row[0].startswith("XA ") for row in exhibit.rows)

    def aged() -> bool:
        settled()
        found = measured("long_transactions", primary.target())["oldest_prepared_seconds"]
        return found.value >= 1 and "XA transaction" in english(found.detail["who"])

    try:
        until(seen, "the prepared transaction is shown without a session")
        until(aged, "the prepared transaction has some age")
    finally:
        primary.sql("XA ROLLBACK 'x9'")


def test_a_history_that_grows_names_its_keeper(primary: MariaDB, table: str) -> None:
    holder = Holder(primary, f"SELECT * FROM {table}")
    try:
        for value in range(30):
            primary.sql(f"UPDATE {table} SET v = {value} + 10 WHERE id = 1")
        settled()
        found = measured("history_list", primary.target())["history_list_length"]
    finally:
        holder.let_go()
    assert found.value >= 30
    assert f"session {holder.id} " in english(found.detail["keeper"])


def deadlock(server: MariaDB, table: str) -> None:
    """Two sessions that take two rows in opposite order."""
    with server.admin() as one, server.admin() as other:
        first, second = one.cursor(), other.cursor()
        for cursor, row in ((first, 1), (second, 2)):
            cursor.execute("BEGIN")
            cursor.execute(f"UPDATE {table} SET v = 5 WHERE id = {row} AND nik = '{SECRET}'")

        def cross() -> None:
            with suppress(pymysql.err.OperationalError):
                first.execute(f"UPDATE {table} SET v = 6 WHERE id = 2 AND nik = '{SECRET}'")

        thread = threading.Thread(target=cross, daemon=True)
        thread.start()
        server.row_waits(1)
        with suppress(pymysql.err.OperationalError):
            second.execute(f"UPDATE {table} SET v = 6 WHERE id = 1 AND nik = '{SECRET}'")
        thread.join(30)
        one.rollback()
        other.rollback()


def test_deadlocks_are_counted_and_the_last_is_told_without_its_data(
    primary: MariaDB, table: str
) -> None:
    with watched(primary.target()) as agent:
        agent.values("deadlocks")
        deadlock(primary, table)
        found = agent.a_rate("deadlocks", "deadlocks_per_minute", lambda value: value > 0)
    assert "app.gaji" in english(found.detail["said"])
    (exhibit,) = shown("deadlocks", primary.target())
    assert len(exhibit.rows) == 2
    assert sorted(row[-1] for row in exhibit.rows) == ["", "rolled back"]
    assert {row[3] for row in exhibit.rows} == {"app.gaji"}
    assert all("UPDATE app.gaji SET v = ?" in row[2] for row in exhibit.rows)
    assert SECRET not in repr(exhibit)


def test_transactions_of_others_are_not_seen_without_process(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'kosong'@'%' IDENTIFIED BY 'rahasia-uji'")
    for name in ("long_transactions", "idle_in_transaction", "history_list"):
        taken = reading(name, primary.target(user="kosong"))
        if name == "history_list" and taken.failure is None:
            continue  # the length alone is everybody's to read; nothing waits, nobody is named
        assert taken.failure is not None, name
        assert taken.failure.kind is FailureKind.BLIND
        assert "GRANT PROCESS ON *.* TO 'kosong'@'%';" in taken.failure.hint.en
