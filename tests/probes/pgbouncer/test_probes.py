"""Each probe on a real pooler: healthy, full, paused, cut off, out of clients."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import psycopg2
import pytest

from probes import Measurement
from probes.pgbouncer import clients, login, paused, pools, servers, traffic
from tests.probes.pgbouncer.asking import exhibits, read, session_to
from tests.servers.machine import until
from tests.servers.pgbouncer import CLERK, DATABASE, PgBouncer
from tests.servers.postgresql import MONITOR_PASSWORD

pytestmark = pytest.mark.servers

POOL = f"{DATABASE}/{CLERK}"


def words(measurement: Measurement, key: str) -> str:
    """A detail in English."""
    value = measurement.detail[key]
    return str(getattr(value, "en", value))


def test_a_pool_that_serves_its_clients_makes_nobody_wait(pooler: PgBouncer) -> None:
    with pooler.holding(1):
        found = read(pools.PROBE, pooler)
        assert found["pool_clients_active", POOL].value == 1
        assert found["pool_servers_active", POOL].value == 1
        assert found["pool_size", POOL].value == 2
        assert found["pool_wait_seconds", POOL].value == 0
        assert read(servers.PROBE, pooler)["pool_served", POOL].value == 1
    assert not any("pgbouncer" in subject for _, subject in found)


def test_clients_of_a_full_pool_are_told_with_who_waits_why_and_who_holds_it(
    pooler: PgBouncer,
) -> None:
    with pooler.holding(2), pooler.queueing(3, at_least_seconds=1):
        waits = read(pools.PROBE, pooler)["pool_wait_seconds", POOL]
        assert waits.value >= 1
        assert (waits.detail["waiting"], waits.detail["mode"]) == (3, "transaction")
        assert words(waits, "reason") == "all 2 server connections of the pool are in use"
        assert "pg_stat_activity" in words(waits, "next")
        assert read(servers.PROBE, pooler)["pool_served", POOL].value == 1
        shown = exhibits(pools.PROBE, pooler)
        pids = {str(pid) for (pid,) in pooler.server.sql("select pid from pg_stat_activity")}
    _, waiting, held = shown
    assert len(waiting.rows) == 3
    assert {row[held.columns.index("state")] for row in held.rows} == {"active"}
    assert {row[held.columns.index("pid")] for row in held.rows} <= pids
    assert not {"ptr", "link"} & {*waiting.columns, *held.columns}


def test_clients_that_cannot_even_log_in_have_an_age_too(pooler: PgBouncer) -> None:
    """PgBouncer shows 0 for them, however long they wait."""
    pooler.server.stop()
    try:
        pooler.admin(f"RECONNECT {DATABASE}")
        with pooler.queueing(2):
            until(
                lambda: read(pools.PROBE, pooler)["pool_wait_seconds", POOL].value >= 2,
                "the wait growing",
            )
            found = read(servers.PROBE, pooler)["pool_served", POOL]
            assert found.value == 0
            assert str(pooler.server.port) in words(found, "server")
            shown = exhibits(servers.PROBE, pooler)
            assert shown[0].rows[0][0] == DATABASE
    finally:
        pooler.server.start()
        pooler.connect().close()  # the pooler tries a server that refused it only now and then


def test_a_paused_database_is_told_with_how_many_wait_for_it(pooler: PgBouncer) -> None:
    assert read(paused.PROBE, pooler)["database_paused", DATABASE].value == 0
    pooler.admin(f"PAUSE {DATABASE}")
    try:
        with pooler.queueing(1, at_least_seconds=1):
            found = read(paused.PROBE, pooler)["database_paused", DATABASE]
            assert (found.value, found.detail["waiting"]) == (1, 1)
            waits = read(pools.PROBE, pooler)["pool_wait_seconds", POOL]
            assert words(waits, "reason") == "that database is paused"
            assert words(waits, "next").endswith(f"RESUME {DATABASE};")
            assert read(servers.PROBE, pooler) == {}, "nothing can be said of the server"
    finally:
        pooler.admin(f"RESUME {DATABASE}")


def test_a_pause_of_everything_is_seen_by_its_clients_where_no_state_tells_it(
    pooler: PgBouncer,
) -> None:
    pooler.admin("PAUSE")
    try:
        with pooler.queueing(1):
            held = read(paused.PROBE, pooler).get(("pooler_held", ""))
            if held is None:  # 1.18
                assert read(servers.PROBE, pooler)["pool_served", POOL].value == 0
            else:
                assert held.value == 1
    finally:
        pooler.admin("RESUME")


def test_a_disabled_database_is_told(pooler: PgBouncer) -> None:
    pooler.admin(f"DISABLE {DATABASE}")
    try:
        assert read(paused.PROBE, pooler)["database_disabled", DATABASE].value == 1
    finally:
        pooler.admin(f"ENABLE {DATABASE}")


def test_clients_near_the_limit_are_told_with_who_has_most(pooler: PgBouncer) -> None:
    assert read(clients.PROBE, pooler)["clients_used_ratio", ""].value < 0.5
    with ExitStack() as stack:
        with pytest.raises(psycopg2.OperationalError, match="max_client_conn"):
            while True:
                stack.callback(pooler.connect().close)
        found = read(clients.PROBE, pooler)  # the console lets its people in beyond the limit
        ratio = found["clients_used_ratio", ""]
        assert ratio.value >= 1
        assert (ratio.detail["user"], ratio.detail["client"]) == (CLERK, "127.0.0.1")
        for asked in (clients.PROBE, login.PROBE):
            shown = exhibits(asked, pooler)[0]
            assert shown.rows[0][:3] == (DATABASE, CLERK, "127.0.0.1")


def test_what_goes_through_is_told_of_each_database_and_not_of_the_console(
    pooler: PgBouncer,
) -> None:
    pooler.connect().close()
    found = read(traffic.PROBE, pooler)
    assert found["database_transactions_per_second", DATABASE].value >= 0
    assert found["database_transaction_seconds", DATABASE].value >= 0
    assert {database for _, database in found} == {DATABASE}


def test_a_login_through_the_pool_is_timed_up_to_its_server_connection(pooler: PgBouncer) -> None:
    found = read(login.PROBE, pooler, DATABASE)
    assert found["fresh_login_ok", ""].value == 1
    assert found["login_phase_seconds", "server"].value >= 0
    through_console = read(login.PROBE, pooler)
    assert through_console["fresh_login_ok", ""].value == 1


def test_a_login_through_a_disabled_database_fails_while_the_console_answers(
    pooler: PgBouncer,
) -> None:
    pooler.admin(f"DISABLE {DATABASE}")
    try:
        found = read(login.PROBE, pooler, DATABASE)["fresh_login_ok", ""]
    finally:
        pooler.admin(f"ENABLE {DATABASE}")
    assert found.value == 0
    assert f"ENABLE {DATABASE};" in words(found, "next")


def let_in(pooler: PgBouncer, people: str, later_seconds: int) -> None:
    """Another auth_file; PgBouncer knows a new one by the whole second it was written in."""
    file = pooler.folder / "users.txt"
    file.write_text(people)
    at = int(time.time()) + later_seconds
    os.utime(file, (at, at))
    pooler.admin("RELOAD")


def test_sigaps_account_forgotten_by_the_pooler_is_not_told_as_an_outage_of_everybodys_logins(
    pooler: PgBouncer,
) -> None:
    before = (pooler.folder / "users.txt").read_text()
    changed = before.replace(f'"{MONITOR_PASSWORD}"', '"bukan-yang-dipasang"')
    with session_to(pooler.target()) as session:
        let_in(pooler, changed, later_seconds=60)
        try:
            (found,) = login.PROBE.read(session)
        finally:
            let_in(pooler, before, later_seconds=120)
    assert found.value == 0
    assert words(found, "outcome") == "pooler does not let Sigap's monitoring account in"
    assert "auth_file" in words(found, "next")


def test_who_left_while_waiting_is_counted_until_its_turn_comes(pooler: PgBouncer) -> None:
    """PgBouncer does not read from a waiting client, so it does not notice the close."""
    with pooler.holding(2):
        with pooler.queueing(1):
            pass
        assert read(pools.PROBE, pooler)["pool_clients_waiting", POOL].value == 1
