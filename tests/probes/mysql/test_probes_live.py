"""Each probe of this engine against a real pair with a real fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pymysql
import pytest

from probes import CONNECTION_KINDS, FailureKind, Finding, ProbeError, Session, Severity
from probes.judge import Judge
from probes.mysql.connection.connect import connect
from probes.runner import take
from probes.wire import deadline
from tests.probes.mysql.asking import (
    BUDGET,
    NOW,
    findings,
    measured,
    probe,
    reading,
    settled,
    shown,
    watched,
)
from tests.servers.mariadb import Holder, MariaDB, MariaDBPair, Waiter, eventually

pytestmark = pytest.mark.servers

# --- availability ---------------------------------------------------------------------------


def test_a_primary_in_order_is_up_with_a_fresh_login(primary: MariaDB) -> None:
    found = measured("availability", primary.target(role="primary"))
    values = {name: each.value for name, each in found.items()}
    assert values == {"up": 1, "read_only": 0, "is_replica": 0, "role_as_expected": 1}
    login = measured("login", primary.target())
    assert login["fresh_login_ok"].value == 1
    assert 0 < login["login_seconds"].value < BUDGET


def test_every_phase_of_a_login_is_timed(primary: MariaDB) -> None:
    with watched(primary.target()) as agent:
        found = agent.values("login")
    phases = {subject for measure, subject in found if measure == "login_phase_seconds"}
    assert {"resolve", "connect", "login", "first_answer", "role"} <= phases


def test_a_replica_where_a_primary_is_expected_is_a_finding(replica: MariaDB) -> None:
    verdict = findings("availability", replica.target(role="primary"), times=2)["role_as_expected"]
    assert verdict.severity is Severity.CRITICAL
    assert verdict.family == "role"
    assert "seharusnya primer, ternyata replika" in verdict.title.id


def test_a_primary_that_takes_no_writes_is_not_as_expected(primary: MariaDB) -> None:
    primary.sql("SET GLOBAL read_only = ON")
    try:
        found = measured("availability", primary.target(role="primary"))
    finally:
        primary.sql("SET GLOBAL read_only = OFF")
    assert found["read_only"].value == 1
    assert found["role_as_expected"].value == 0


def test_existing_sessions_fine_and_logins_broken_are_told_apart(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'satu'@'%' IDENTIFIED BY 'rahasia-uji'")
    primary.sql("GRANT SLAVE MONITOR ON *.* TO 'satu'@'%'")
    target = primary.target(user="satu")
    with deadline.within(BUDGET):
        session = connect(target, "test")
    primary.sql("ALTER USER 'satu'@'%' ACCOUNT LOCK")
    judge = Judge()
    verdicts: dict[str, Finding] = {}
    for name in ("availability", "login") * 2:
        taken = take(probe(name), target, session, NOW, BUDGET)
        verdicts |= {f.measure: f for f in judge.assess(target, probe(name), taken).findings}
    session.close()
    assert verdicts["up"].severity is Severity.CLEAR
    assert verdicts["fresh_login_ok"].severity is Severity.CRITICAL
    assert "UNLOCK" in verdicts["fresh_login_ok"].hint.en


def test_a_frozen_server_is_a_timeout_that_counts_as_down(primary: MariaDB) -> None:
    target = primary.target()
    with deadline.within(BUDGET):
        session = connect(target, "test")
    with primary.frozen():
        taken = take(probe("availability"), target, session, NOW, 0.3)
    session.close()
    assert taken.failure is not None
    assert taken.failure.kind is FailureKind.TIMEOUT
    assert taken.failure.kind in CONNECTION_KINDS
    assert taken.duration_seconds < 1


def test_a_login_that_fails_because_all_is_dead_is_not_said_to_be_the_logins_fault(
    primary: MariaDB,
) -> None:
    target = primary.target()
    with deadline.within(BUDGET):
        session = connect(target, "test")
    with primary.frozen():
        taken = take(probe("login"), target, session, NOW, 0.5)
    session.close()
    assert taken.failure is not None
    assert (taken.failure.kind, taken.measurements) == (FailureKind.TIMEOUT, ())


def test_availability_does_without_the_right_to_see_replication(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'kosong'@'%' IDENTIFIED BY 'rahasia-uji'")
    found = measured("availability", primary.target(user="kosong", role="primary"))
    assert found["up"].value == 1
    assert measured("login", primary.target(user="kosong"))["fresh_login_ok"].value == 1
    assert "role_as_expected" not in found, "a role that cannot be seen must not be guessed"


def test_a_question_for_the_role_that_hangs_turns_no_server_down(
    primary: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL lets every look at its channels wait for a STOP REPLICA; here the look just sleeps."""
    with watched(primary.target(role="primary")) as agent:
        with monkeypatch.context() as patched:
            patched.setattr(
                "probes.mysql.replication.channels.statement", lambda *_: "SELECT SLEEP(30)"
            )
            hanging = [agent.values("availability") for _ in range(3)]
            logins = agent.owner.cost.logins
            asked = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(30)'"
            waiting = len(primary.sql(asked))
        healed = [agent.values("availability") for _ in range(2)]
        later = agent.owner.cost.logins
    assert [found["up", ""].value for found in hanging] == [1, 1, 1]
    assert all(("is_replica", "") not in found for found in hanging), "a role nobody could see"
    assert all(found["role_as_expected", ""].value == 1 for found in healed)
    assert waiting == 1, "what hangs is asked once, and the server does not fill with questions"
    assert logins == 2, "one kept session is lost, and the next does not ask"
    assert later == logins, "once it answers, the kept session is asked again"


# --- replication ----------------------------------------------------------------------------


@pytest.fixture
def replicating(pair: MariaDBPair) -> Iterator[MariaDBPair]:
    """The pair, brought back into order afterwards."""
    yield pair
    pair.replica.sql("STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 0", "START SLAVE")
    eventually(pair.running, "both threads run again")
    eventually(pair.caught_up, "the replica has everything")


def test_a_replica_in_order_names_its_channel_and_has_no_lag(replicating: MariaDBPair) -> None:
    eventually(replicating.caught_up, "the replica has everything")
    found = measured("replication_lag", replicating.replica.target(role="replica"))
    for state in (
        "replication_configured", "replication_io_running", "replication_sql_running",
        "replication_lag_known",
    ):  # fmt: skip
        assert found[state].value == 1
    assert found["replication_lag_seconds"].value == 0
    assert found["replication_lag_bytes"].value == 0
    assert found["replication_io_running"].subject == "default"


def test_a_primary_counts_the_replicas_it_feeds(replicating: MariaDBPair) -> None:
    found = measured("replication_lag", replicating.primary.target(role="primary"))
    assert {name: each.value for name, each in found.items()} == {"connected_replicas": 1}


def test_a_stopped_receiver_is_critical_and_its_lag_unknown(replicating: MariaDBPair) -> None:
    target = replicating.replica.target(role="replica")
    replicating.replica.sql("STOP SLAVE IO_THREAD")
    found = measured("replication_lag", target)
    assert found["replication_io_running"].value == 0
    assert found["replication_sql_running"].value == 1
    assert found["replication_lag_known"].value == 0
    assert "replication_lag_seconds" not in found, "NULL is not 0"
    verdict = findings("replication_lag", target, times=2)["replication_io_running"]
    assert verdict.severity is Severity.CRITICAL
    assert "dihentikan seseorang" in verdict.title.id


def test_connecting_is_not_running(replicating: MariaDBPair) -> None:
    replicating.primary.sql("ALTER USER 'repl'@'%' ACCOUNT LOCK")
    try:
        replicating.replica.sql("STOP SLAVE", "START SLAVE")
        eventually(lambda: replicating.channel()["Last_IO_Errno"], "the receiver fails to log in")
        found = measured("replication_lag", replicating.replica.target(role="replica"))
    finally:
        replicating.primary.sql("ALTER USER 'repl'@'%' ACCOUNT UNLOCK")
    state = found["replication_io_running"]
    assert state.detail["state"] == "Connecting"
    assert state.value == 0
    assert int(str(state.detail["errno"])) > 0
    assert "replication_lag_seconds" not in found


def test_a_duplicate_key_is_named_and_the_persons_number_is_not(replicating: MariaDBPair) -> None:
    replicating.break_sql_thread("app.pegawai")
    try:
        target = replicating.replica.target(role="replica")
        verdict = findings("replication_lag", target)["replication_sql_running"]
        (channel, position) = shown("replication_lag", target)
    finally:
        replicating.mend_sql_thread("app.pegawai")
    assert verdict.severity is Severity.CRITICAL, "the first bad reading is enough"
    assert verdict.family == "replication"
    assert "1062" in verdict.title.en
    assert "app.pegawai" in verdict.title.en
    text = verdict.title.en + repr(channel)
    assert "6471" not in text
    assert "3171234567890001" not in text
    assert channel.rows[0][channel.columns.index("seconds behind")] == "NULL"
    assert "File" in position.columns


def test_an_intended_delay_is_not_lag(replicating: MariaDBPair) -> None:
    replicating.replica.sql("STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 600", "START SLAVE")
    replicating.primary.sql("CREATE TABLE app.tunda (id INT)")
    eventually(
        lambda: (replicating.channel()["Seconds_Behind_Master"] or 0) >= 1,
        "the server itself calls the delay lag",
    )
    found = measured("replication_lag", replicating.replica.target(role="replica"))
    assert found["replication_delay_seconds"].value == 600
    assert found["replication_lag_seconds"].value == 0
    assert found["replication_lag_bytes"].value > 0


def test_a_channel_that_vanished_is_a_finding_only_where_a_replica_is_expected(
    replicating: MariaDBPair,
) -> None:
    server = replicating.primary  # it follows nobody, just as after RESET SLAVE ALL
    wanted = findings("replication_lag", server.target(role="replica"), times=2)
    assert wanted["replication_configured"].severity is Severity.CRITICAL
    assert "seharusnya replika" in wanted["replication_configured"].title.id
    alone = findings("replication_lag", server.target(role="primary"), times=2)
    assert all(each.severity is Severity.CLEAR for each in alone.values())


def test_stop_replica_before_the_condition_was_reached_is_somebodys_stop(
    replicating: MariaDBPair,
) -> None:
    replica = replicating.replica
    file = replicating.channel()["Master_Log_File"]
    replica.sql(
        "STOP SLAVE",
        f"START SLAVE UNTIL MASTER_LOG_FILE = '{file}', MASTER_LOG_POS = 4000000000",
    )
    eventually(replicating.running, "both replication threads run")
    replica.sql("STOP SLAVE")
    try:
        assert replicating.channel()["Until_Condition"] == "Master"
        verdict = findings("replication_lag", replica.target(role="replica"))
    finally:
        replica.sql("START SLAVE")
        eventually(replicating.running, "both replication threads run")
    stopped = verdict["replication_sql_running"]
    assert stopped.severity is Severity.CRITICAL
    assert "somebody stopped it" in stopped.title.en
    assert verdict["replication_until_reached"].severity is Severity.CLEAR


def test_replication_without_the_right_is_blind_with_the_line(replica: MariaDB) -> None:
    replica.sql(
        "SET sql_log_bin = 0", "CREATE OR REPLACE USER 'buta'@'%' IDENTIFIED BY 'rahasia-uji'"
    )
    taken = reading("replication_lag", replica.target(user="buta", role="replica"))
    replica.sql("SET sql_log_bin = 0", "DROP USER 'buta'@'%'")
    assert taken.failure is not None
    assert taken.failure.kind is FailureKind.BLIND
    assert "GRANT SLAVE MONITOR ON *.* TO 'buta'@'%';" in taken.failure.hint.id


# --- blocked sessions -----------------------------------------------------------------------


@pytest.fixture
def table(primary: MariaDB) -> str:
    primary.sql(
        "CREATE OR REPLACE TABLE app.antre (id INT PRIMARY KEY, v INT) ENGINE=InnoDB",
        "INSERT INTO app.antre VALUES (1, 1), (2, 2)",
    )
    return "app.antre"


def test_nobody_waiting_is_nought(primary: MariaDB, table: str) -> None:
    settled()
    found = measured("blocked_sessions", primary.target())
    assert {name: each.value for name, each in found.items()} == {
        "blocked_sessions": 0, "blocked_seconds": 0,
    }  # fmt: skip


def test_the_root_of_a_row_lock_queue_is_named_with_its_victims(
    primary: MariaDB, table: str
) -> None:
    holder = Holder(primary, f"UPDATE {table} SET v = 777 WHERE id = 1")
    middle = Waiter(
        primary, "BEGIN", f"UPDATE {table} SET v = 5 WHERE id = 2",
        f"UPDATE {table} SET v = 888 WHERE id = 1",
    )  # fmt: skip
    primary.row_waits(1)
    last = Waiter(primary, f"UPDATE {table} SET v = 999 WHERE id = 2")
    try:
        primary.row_waits(2)
        settled()
        found = measured("blocked_sessions", primary.target())
        (tree,) = shown("blocked_sessions", primary.target())
    finally:
        last.gone()
        middle.gone()
        holder.let_go()
    detail = found["blocked_sessions"].detail
    assert found["blocked_sessions"].value == 2
    assert detail["blocker_id"] == holder.id
    assert detail["victims"] == 2
    assert detail["table"] == table
    assert detail["suspected"] is False
    assert "idle in transaction" in str(detail["cause"])
    assert [row[0].strip("└ ") for row in tree.rows] == [
        str(each) for each in (holder.id, middle.id, last.id)
    ]
    assert [row[-1] for row in tree.rows] == [f"KILL {holder.id}", "", ""]
    assert not any(secret in repr(tree) for secret in ("777", "888", "999"))


def test_sixty_waiters_are_counted_and_fifty_are_drawn(primary: MariaDB, table: str) -> None:
    primary.sql("SET GLOBAL max_connections = 200")
    holder = Holder(primary, f"UPDATE {table} SET v = 0 WHERE id = 1")
    waiters = [Waiter(primary, f"UPDATE {table} SET v = 1 WHERE id = 1") for _ in range(60)]
    try:
        primary.row_waits(60)
        settled()
        found = measured("blocked_sessions", primary.target())
        (tree,) = shown("blocked_sessions", primary.target())
    finally:
        for each in waiters:
            each.gone()
        holder.let_go()
        primary.sql("SET GLOBAL max_connections = 60")
    assert found["blocked_sessions"].value == 60
    assert found["blocked_sessions"].detail["blocker_id"] == holder.id
    assert len(tree.rows) == 51
    assert "truncated to 50 of 60" in tree.note


def test_the_holder_behind_a_waiting_alter_is_a_suspect_and_said_to_be(
    primary: MariaDB, table: str
) -> None:
    holder = Holder(primary, f"SELECT * FROM {table}")
    alter = Waiter(primary, f"ALTER TABLE {table} ADD COLUMN w INT")
    primary.metadata_waits(1)
    reader = Waiter(primary, f"SELECT * FROM {table}")
    try:
        primary.metadata_waits(2)
        settled()
        found = measured("blocked_sessions", primary.target())
        tree, asleep = shown("blocked_sessions", primary.target())
    finally:
        reader.gone()
        alter.gone()
        holder.let_go()
    detail = found["blocked_sessions"].detail
    assert found["blocked_sessions"].value == 2
    assert detail["blocker_id"] == holder.id
    assert detail["suspected"] is True
    assert "suspected" in str(detail["cause"])
    assert "suspected" in tree.note
    assert str(holder.id) in {row[0] for row in asleep.rows}


def test_a_lock_outside_innodb_is_said_to_be_unseen(primary: MariaDB, table: str) -> None:
    holder = Holder(primary, f"LOCK TABLES {table} WRITE")
    reader = Waiter(primary, f"SELECT * FROM {table}")
    try:
        primary.metadata_waits(1)
        settled()
        found = measured("blocked_sessions", primary.target())
    finally:
        reader.gone()
        holder.let_go()
    assert found["blocked_sessions"].value == 1
    assert found["blocked_sessions"].detail["blocker_id"] == 0
    assert "cannot be seen" in str(found["blocked_sessions"].detail["cause"])


def test_a_prepared_xa_transaction_is_a_root_without_a_session(
    primary: MariaDB, table: str
) -> None:
    with primary.admin() as gone, gone.cursor() as cursor:
        for each in (
            "XA START 'x1'", f"UPDATE {table} SET v = 3 WHERE id = 1", "XA END 'x1'",
            "XA PREPARE 'x1'",
        ):  # fmt: skip
            cursor.execute(each)
    waiter = Waiter(primary, f"UPDATE {table} SET v = 4 WHERE id = 1")
    try:
        primary.row_waits(1)
        settled()
        found = measured("blocked_sessions", primary.target())
    finally:
        waiter.gone()
        primary.sql("XA ROLLBACK 'x1'")
    detail = found["blocked_sessions"].detail
    assert detail["blocker_id"] == 0
    assert "XA" in str(detail["blocker"])
    assert "XA ROLLBACK" in str(detail["command"])


def test_blocked_sessions_without_process_is_blind_not_zero(primary: MariaDB) -> None:
    primary.sql("CREATE OR REPLACE USER 'kosong'@'%' IDENTIFIED BY 'rahasia-uji'")
    taken = reading("blocked_sessions", primary.target(user="kosong"))
    assert taken.failure is not None
    assert taken.failure.kind is FailureKind.BLIND
    assert "GRANT PROCESS ON *.* TO 'kosong'@'%';" in taken.failure.hint.en


def test_a_server_that_stops_is_refused_and_comes_back(pair: MariaDBPair) -> None:
    server = pair.replica
    target = server.target(role="replica")
    with deadline.within(BUDGET):
        session: Session = connect(target, "test")
    server.stop()
    try:
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            session.rows("SELECT 1")
        assert caught.value.failure.kind is FailureKind.UNREACHABLE
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            connect(target, "test")
        assert caught.value.failure.kind is FailureKind.REFUSED
        gone = replace(target.address, host=str(server.socket))
        with pytest.raises(ProbeError) as caught, deadline.within(BUDGET):
            connect(replace(target, address=gone), "test")
        assert caught.value.failure.kind is FailureKind.REFUSED
    finally:
        server.start()
        with suppress(pymysql.err.MySQLError):
            server.sql("START SLAVE")
    eventually(pair.running, "both threads run again")
    assert measured("availability", target)["up"].value == 1
