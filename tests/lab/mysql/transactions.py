"""Transactions that stay open, and deadlocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pymysql

from probes import Limits
from tests.lab.mysql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault
from tests.servers.mariadb import Holder, eventually

SALARY = "7654321"  # of a person, and nobody else's business
SECONDS = Limits(warning=0.5, critical=1.0)


@contextmanager
def idle_in_transaction(world: World) -> Iterator[None]:
    with world.session("UPDATE pegawai SET gaji = gaji + 1 WHERE id = 20"):
        _aged(world)
        yield


@contextmanager
def long_transaction(world: World) -> Iterator[None]:
    """A report whose snapshot is from this morning."""
    with world.session("SELECT count(*) FROM pegawai"):
        _aged(world)
        yield


@contextmanager
def history_grows(world: World) -> Iterator[None]:
    """The report's snapshot keeps every old row version while others write."""
    with world.session("SELECT count(*) FROM pegawai"):
        with world.primary.admin("app") as connection, connection.cursor() as cursor:
            for number in range(500):
                cursor.execute("UPDATE pegawai SET gaji = %s WHERE id = 22", (number,))
        yield
    eventually(lambda: _purged(world), "the old row versions are purged")
    world.wait_whole()


def _purged(world: World) -> bool:
    """Purging continues as others write."""
    world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1 WHERE id = 23")
    asked = "SELECT COUNT AS n FROM information_schema.INNODB_METRICS WHERE NAME = "
    return int(world.primary.sql(f"{asked}'trx_rseg_history_len'")[0]["n"]) < 200


@contextmanager
def deadlock(world: World) -> Iterator[None]:
    one = Holder(world.primary, "USE app", "UPDATE pegawai SET gaji = 1 WHERE id = 30")
    other = Holder(world.primary, "USE app", "UPDATE pegawai SET gaji = 1 WHERE id = 31")

    def second_half() -> None:
        # One of the two is the deadlock's victim.
        with suppress(pymysql.err.MySQLError):
            _run(one, f"UPDATE pegawai SET gaji = {SALARY} WHERE id = 31")

    thread = threading.Thread(target=second_half)
    thread.start()
    world.primary.row_waits(1)
    with suppress(pymysql.err.MySQLError):
        _run(other, f"UPDATE pegawai SET gaji = {SALARY} WHERE id = 30")
    other.let_go()
    thread.join(30)
    one.let_go()
    _next_second(world)
    yield


def _run(holder: Holder, statement: str) -> None:
    with holder._connection.cursor() as cursor:
        cursor.execute(statement)


def _aged(world: World) -> None:
    asked = (
        "SELECT max(timestampdiff(SECOND, trx_started, now())) AS s FROM information_schema"
        ".INNODB_TRX"
    )

    def old() -> bool:
        # Looked at too often InnoDB shows what it showed before.
        threading.Event().wait(0.15)
        return bool((world.primary.sql(asked)[0]["s"] or 0) >= 2)

    eventually(old, "the transaction is two seconds old")


def _next_second(world: World) -> None:
    """Rates use the server's uptime, which has whole seconds."""

    def uptime() -> int:
        return int(world.primary.sql("SHOW GLOBAL STATUS LIKE 'Uptime'")[0]["Value"])

    before = uptime()
    eventually(lambda: uptime() > before, "a second has passed")


def _fault(
    name: str,
    inject: Break[World],
    probe: str,
    measure: str,
    family: str,
    *words: str,
    limits: Limits = SECONDS,
    evidence: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
) -> Fault[World]:
    return Fault(
        f"transactions/{name}", "mysql", inject, PRIMARY, probe, measure, family, words,
        evidence=evidence, hidden=hidden, limits={f"{probe}.{measure}": limits},
    )  # fmt: skip


FAULTS = (
    _fault(
        "idle_in_transaction", idle_in_transaction, "idle_in_transaction",
        "idle_in_transaction_seconds", "locks", "idle in a transaction", "1 rows changed",
        evidence=("localhost",),
    ),
    _fault(
        "long_transaction", long_transaction, "long_transactions", "longest_transaction_seconds",
        "locks", "transaction open", evidence=("localhost",),
    ),
    _fault(
        "history_grows", history_grows, "history_list", "history_list_length", "vacuum",
        "not purged", "the oldest", limits=Limits(warning=250, critical=300, raise_after=3),
        evidence=("localhost",),
    ),
    _fault(
        "deadlocks", deadlock, "deadlocks", "deadlocks_per_minute", "locks", "app.pegawai",
        limits=Limits(warning=0.5, critical=1, raise_after=1),
        evidence=("pegawai", "UPDATE pegawai"), hidden=(SALARY,),
    ),
)  # fmt: skip
