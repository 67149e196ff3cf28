"""A real server is stopped, killed and frozen; the evidence distinguishes them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from probes.local.processes import servers
from probes.postgresql import ENGINE
from probes.postgresql.connection.availability import PROBE
from probes.runner import Owner
from tests.servers import postgresql
from tests.servers.postgresql import Server, until
from tests.support.evidence import Told, all_told

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql.single({"logging_collector": "on"}) as one:
        yield one


@pytest.fixture
def owner(server: Server) -> Iterator[Owner]:
    """An owner on the server's own host that has seen the server answer."""
    if not server.running:
        server.start()
    watching = Owner(server.target(host="lab"), ENGINE, 2.0)
    (reading,) = watching.round([PROBE], lambda: NOW)
    assert reading.failure is None, reading.failure
    shown = watching.gather(PROBE, NOW)
    assert shown is not None
    said = "\n".join(f"{each.title.en} {each.rows} {each.note}" for each in shown.exhibits)
    assert "Last changes on the server" in said
    assert "Why the server cannot be used" not in said, "it answers: there is no failure to explain"
    yield watching
    watching.drop()


def evidence_of(owner: Owner) -> tuple[list[Told], str]:
    """The evidence taken at the next, failing reading, as text."""
    (reading,) = owner.round([PROBE], lambda: NOW)
    assert reading.failure is not None
    taken = owner.gather(PROBE, NOW)
    assert taken is not None
    shown = all_told(taken.exhibits)
    assert [row[3] for row in shown[0].rows] == ["2026-11-26T07:00:00Z"]
    return shown, "\n".join(f"{each.rows} {each.note}" for each in shown)


def alive_in(home: str) -> list[int]:
    """The processes that still run in the data directory."""
    return [each.pid for each in servers(("postgres",), home) if each.directory == home]


def test_of_a_stopped_server_the_log_and_the_missing_process_are_shown(
    server: Server, owner: Owner
) -> None:
    server.stop()
    home = str(server.data)
    until(lambda: not alive_in(home), "the collector of the log having ended too")
    taken, words = evidence_of(owner)
    assert taken[0].rows[0][0] == "refused"
    assert f"nothing listens on port {server.port}" in words
    assert "no process of the server" in words
    assert "database system is shut down" in words
    assert "data, wal, log" in words


def test_of_a_killed_server_nothing_is_left_to_show_but_its_log(
    server: Server, owner: Owner
) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not server.running, "the postmaster being dead")
    home = str(server.data)
    until(lambda: not alive_in(home), "its orphans having noticed and ended")
    taken, words = evidence_of(owner)
    assert f"nothing listens on port {server.port}" in words
    assert "ready to accept connections" in words
    assert str(server.pid) not in [row[0] for row in taken[1].rows]
    server.stop()


def test_of_a_frozen_server_the_state_is_named(server: Server, owner: Owner) -> None:
    server.freeze()
    try:
        taken, words = evidence_of(owner)
    finally:
        server.thaw()
    (postmaster,) = [row for row in taken[1].rows if row[0] == str(server.pid)]
    assert postmaster[2] == "stopped (T)"
    assert postmaster[5:] == (f"port {server.port}", str(server.data)), taken[1].note
    assert taken[0].rows[0][0] == "timeout"
    assert "its child processes: " in words


def test_a_log_that_was_only_redirected_is_found_and_remembered_past_the_servers_death() -> None:
    """As Debian starts it: ``pg_ctl -l FILE``, and no logging collector."""
    with postgresql.single({"logging_collector": "off"}) as one:
        watching = Owner(one.target(host="lab"), ENGINE, 2.0)
        (reading,) = watching.round([PROBE], lambda: NOW)
        assert reading.failure is None, reading.failure
        os.kill(one.pid, signal.SIGKILL)
        until(lambda: not one.running, "the postmaster being dead")
        until(lambda: not alive_in(str(one.data)), "its orphans having noticed and ended")
        _, said = evidence_of(watching)
        watching.drop()
        one.stop()
        assert str(one.folder / f"{one.name}.log") in said
        assert "database system is ready to accept connections" in said
