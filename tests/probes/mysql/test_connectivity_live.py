"""Restarts, clocks, the write canary and the reserve port, against real servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pymysql
import pytest

from probes import Address, FailureKind, ProbeError, Row, Severity, Target, registry
from probes.model import Memory
from probes.mysql.connection import clock_skew
from probes.mysql.connection.connect import connect, reserve
from probes.wire import deadline
from tests.probes.mysql.asking import BUDGET, NOW, english, findings, measured, probe, watched
from tests.servers import mariadb
from tests.servers.machine import free_port
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD, MariaDB, MariaDBPair
from tests.servers.mariadb import eventually as until
from tests.support.evidence import all_told
from tests.support.words import both

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def spare() -> Iterator[MariaDB]:
    """A server of its own, with a reserve port and room for few."""
    port = free_port()
    options = ["max-connections=10", f"extra-port={port}", "extra-max-connections=3"]
    with mariadb.servers(1, options) as (made,):
        made.sql(
            f"CREATE USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'",
            f"GRANT PROCESS, SLAVE MONITOR ON *.* TO '{MONITOR}'@'%'",
        )
        made.reserve_port = port  # type: ignore[attr-defined]  # this module's own server
        yield made


# --- restart --------------------------------------------------------------------------------


def test_a_server_that_came_back_is_told_to_be_young(spare: MariaDB) -> None:
    until(
        lambda: measured("restart", spare.target())["uptime_seconds"].value >= 4,
        "the server has some age",
    )
    with watched(spare.target()) as agent:
        assert "since_restart_seconds" not in agent.findings("restart"), "its first start is none"
        spare.kill()
        spare.start()
        agent.reading("restart")  # finds its session gone
        verdict = agent.findings("restart")["since_restart_seconds"]
    assert verdict.severity is Severity.WARNING
    assert verdict.value is not None
    assert verdict.value < 60
    assert not verdict.opens, "a restart is told, and opens nothing by itself"


# --- clock ----------------------------------------------------------------------------------


@dataclass
class Clockwork:
    """A session whose server has the given clock."""

    now: float
    memory: Memory = field(default_factory=Memory)

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        return [{"now": self.now}]


def test_one_machine_has_one_clock(spare: MariaDB) -> None:
    assert measured("clock_skew", spare.target())["clock_skew_seconds"].value < 2


@pytest.mark.parametrize(("off", "way"), [(90.0, "ahead"), (-90.0, "behind")])
def test_a_clock_that_is_off_is_told_with_its_direction(off: float, way: str) -> None:
    (found,) = clock_skew.PROBE.read(Clockwork(time.time() + off))  # type: ignore[arg-type]  # it asks one question only
    assert found.value == pytest.approx(90, abs=5)
    assert english(found.detail["direction"]) == way


# --- the account ----------------------------------------------------------------------------


def test_after_its_password_was_changed_sigap_says_that_its_own_account_is_not_let_in(
    spare: MariaDB,
) -> None:
    change = f"ALTER USER '{MONITOR}'@'%' IDENTIFIED BY "
    with watched(spare.target()) as agent:
        agent.values("login")
        spare.sql(f"{change}'bukan-yang-dipasang'")
        try:
            verdict = agent.findings("login", times=2)["fresh_login_ok"]
        finally:
            spare.sql(f"{change}'{MONITOR_PASSWORD}'")
    name = spare.target().name
    assert verdict.severity is Severity.CRITICAL
    assert verdict.headline == both(
        f"{name} tidak menerima akun pemantau Sigap",
        f"{name} does not let Sigap's monitoring account in",
    )
    assert "(1045)" in verdict.title.id
    assert "password_file" in verdict.hint.en


# --- the reserve port -----------------------------------------------------------------------


@contextmanager
def crowded(server: MariaDB) -> Iterator[None]:
    """All connections are in use; on leaving, the server has released them."""
    with ExitStack() as crowd:
        with suppress(pymysql.err.OperationalError):
            for _ in range(20):
                crowd.enter_context(server.admin())
        yield

    def has_room() -> bool:
        try:
            (row,) = server.sql("SHOW STATUS LIKE 'Threads_connected'")
        except pymysql.err.OperationalError:
            return False
        return int(row["Value"]) <= 3  # this one, and whoever watches

    until(has_room, "the crowd is gone")


def test_a_full_server_is_watched_through_its_reserve_port_and_said_to_be_full(
    spare: MariaDB,
) -> None:
    port = str(spare.reserve_port)  # type: ignore[attr-defined]  # set by the fixture
    target = spare.target(options={"extra_port": port})
    plain = spare.target()
    with crowded(spare):
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            connect(plain, "test")
        assert caught.value.failure.kind is FailureKind.EXHAUSTED
        with watched(target) as agent:
            found = agent.values("availability") | agent.values("login")
            evidence = agent.owner.gather(probe("login"), NOW)
    assert found["up", ""].value == 1
    fresh = found["fresh_login_ok", ""]
    assert fresh.value == 0
    assert fresh.detail["failure_kind"] == "exhausted"
    assert evidence is not None
    holders, *others = all_told(evidence.exhibits)
    pooled = dict(zip(holders.columns, holders.rows[0], strict=True))
    assert (pooled["account"], pooled["host"]) == ("root", "localhost")
    assert int(pooled["sessions"]) == int(pooled["idle"]) >= 9
    assert int(pooled["idle seconds"]) >= 0
    assert others, "what was changed lately is shown beside it"


def test_a_reserve_port_is_only_used_where_it_is_configured() -> None:
    plain = Address("10.0.0.1", 3306, "sigap")
    assert reserve(plain) is None
    other = reserve(
        Address(
            "10.0.0.1", 3306, "sigap", options={"admin_port": "33062", "admin_host": "10.0.0.9"}
        )
    )
    assert other is not None
    assert (other.host, other.port) == ("10.0.0.9", 33062)


def test_logins_refused_between_two_readings_are_told_after_the_peak(spare: MariaDB) -> None:
    with watched(spare.target()) as agent:
        agent.values("connections")
        with crowded(spare):
            pass
        refused = agent.a_rate("connections", "refused_logins", lambda value: value >= 1)
    assert refused.value >= 1


# --- the write canary -----------------------------------------------------------------------


@pytest.fixture
def canary(pair: MariaDBPair) -> Iterator[MariaDBPair]:
    """The pair with the table an administrator may choose to have."""
    for line in registry.engine("mysql").options["canary"]:
        if line.flavour == "mariadb":
            pair.primary.sql(line.sql.format(user=f"'{MONITOR}'@'%'"))
    until(pair.caught_up, "the table is on the replica")
    yield pair
    pair.primary.sql("SET GLOBAL read_only = OFF", "DROP DATABASE sigap")
    pair.primary.sql(f"REVOKE SELECT, INSERT, UPDATE ON sigap.heartbeat FROM '{MONITOR}'@'%'")
    until(pair.caught_up, "the table is gone from the replica")


def primary_of(pair: MariaDBPair) -> Target:
    return pair.primary.target(role="primary")


def test_without_the_table_the_canary_keeps_silent(pair: MariaDBPair) -> None:
    assert measured("write_canary", primary_of(pair)) == {}


def test_a_write_commits_and_its_age_is_the_replicas_lag(canary: MariaDBPair) -> None:
    found = measured("write_canary", primary_of(canary))
    assert found["canary_ok"].value == 1
    assert 0 < found["canary_commit_seconds"].value < BUDGET
    until(canary.caught_up, "the row is on the replica")
    replica = canary.replica.target(role="replica")
    assert measured("write_canary", replica)["heartbeat_age_seconds"].value < 30
    assert "canary_ok" not in measured("write_canary", replica), "a replica is never written to"


def test_the_heartbeat_goes_on_counting_when_the_receiver_has_stopped(canary: MariaDBPair) -> None:
    measured("write_canary", primary_of(canary))
    until(canary.caught_up, "the row is on the replica")
    canary.replica.sql("STOP SLAVE IO_THREAD")
    try:
        replica = canary.replica.target(role="replica")
        first = measured("write_canary", replica)["heartbeat_age_seconds"].value
        measured("write_canary", primary_of(canary))
        later = measured("write_canary", replica)["heartbeat_age_seconds"].value
    finally:
        canary.replica.sql("START SLAVE IO_THREAD")
        until(canary.running, "both threads run again")
    assert later > first


def test_a_heartbeat_nobody_writes_is_no_lag_of_the_replica(canary: MariaDBPair) -> None:
    measured("write_canary", primary_of(canary))
    canary.primary.sql("UPDATE sigap.heartbeat SET written = written - INTERVAL 1 HOUR")
    until(canary.caught_up, "the old row is on the replica")
    replica = canary.replica.target(role="replica")
    calm = findings("write_canary", replica, times=2)
    assert calm["heartbeat_late_seconds"].severity is Severity.CLEAR
    assert calm["heartbeat_unwritten_seconds"].severity is Severity.WARNING
    assert "nobody has written the heartbeat" in calm["heartbeat_unwritten_seconds"].title.en
    canary.replica.sql("STOP SLAVE IO_THREAD")
    try:
        cut_off = findings("write_canary", replica, times=2)
    finally:
        canary.replica.sql("START SLAVE IO_THREAD")
        until(canary.running, "both threads run again")
    assert cut_off["heartbeat_late_seconds"].severity is Severity.CRITICAL
    assert cut_off["heartbeat_unwritten_seconds"].severity is Severity.CLEAR


def test_a_write_that_hangs_is_a_finding_and_the_server_stays_up(canary: MariaDBPair) -> None:
    with canary.primary.admin() as backup, backup.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        with watched(primary_of(canary)) as agent:
            verdict = agent.findings("write_canary", times=2)["canary_ok"]
            up = agent.value("availability", "up")
    assert verdict.severity is Severity.CRITICAL
    assert "does not finish" in verdict.title.en
    assert up == 1


def test_a_primary_that_refuses_writes_is_told_in_the_servers_words(canary: MariaDBPair) -> None:
    canary.primary.sql("SET GLOBAL read_only = ON")
    found = measured("write_canary", primary_of(canary))["canary_ok"]
    assert found.value == 0
    assert "read-only" in str(found.detail["said"])


def test_a_canary_whose_rights_are_gone_is_blind_not_silent(canary: MariaDBPair) -> None:
    with watched(primary_of(canary)) as agent:
        agent.values("write_canary")
        canary.primary.sql(f"REVOKE SELECT ON sigap.heartbeat FROM '{MONITOR}'@'%'")
        lost = agent.reading("write_canary")
    canary.primary.sql(f"GRANT SELECT ON sigap.heartbeat TO '{MONITOR}'@'%'")
    assert lost.failure is not None
    assert lost.failure.kind is FailureKind.BLIND
    assert "--canary" in lost.failure.hint.en
