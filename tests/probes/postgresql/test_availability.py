"""The kept session, the role, and the reason when a server refuses logins."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from probes import Failure, ProbeError
from probes.postgresql.connection.availability import PROBE
from probes.postgresql.connection.connect import open_session
from probes.wire import deadline
from tests.probes.postgresql.asking import failure_of, read, session_to, values
from tests.servers.postgresql import NO_RIGHTS, PostgresPair, Server, free_port, until

pytestmark = pytest.mark.servers


def test_a_healthy_primary_is_up(pair: PostgresPair) -> None:
    found = values(PROBE, pair.primary.target())
    assert found.pop("start_time_seconds") == pytest.approx(
        pair.primary.sql("select extract(epoch from pg_postmaster_start_time())::float8")[0][0]
    )
    assert found == {"up": 1, "in_recovery": 0, "read_only": 0}


def test_availability_needs_no_right_but_to_log_in(pair: PostgresPair) -> None:
    assert values(PROBE, pair.primary.target(user=NO_RIGHTS))["up"] == 1


def test_a_replica_is_not_called_read_only(pair: PostgresPair) -> None:
    found = values(PROBE, pair.replica.target())
    assert (found["in_recovery"], found["read_only"]) == (1, 0)


def test_a_primary_that_refuses_writes_is_seen_although_our_own_session_is_read_only(
    pair: PostgresPair,
) -> None:
    pair.primary.sql("alter role sigap set default_transaction_read_only = on")
    try:
        assert values(PROBE, pair.primary.target())["read_only"] == 1
    finally:
        pair.primary.sql("alter role sigap reset default_transaction_read_only")
    assert values(PROBE, pair.primary.target())["read_only"] == 0


def test_the_wrong_role_is_named_with_both_roles(pair: PostgresPair) -> None:
    right = read(PROBE, pair.replica.target(role="replica"))["role_as_expected", ""]
    wrong = read(PROBE, pair.replica.target(role="primary"))["role_as_expected", ""]
    assert right.value == 1
    assert wrong.value == 0
    assert wrong.detail == {"expected": "primary", "actual": "replica"}


def test_a_frozen_server_fails_the_reading_itself(pair: PostgresPair) -> None:
    with deadline.within(10):
        kept = open_session(pair.primary.target(), "kept")
    pair.primary.freeze()
    try:
        with deadline.within(0.3), pytest.raises(ProbeError) as caught:
            list(PROBE.read(kept))
    finally:
        pair.primary.thaw()
        kept.close()
    assert caught.value.failure.kind == "timeout"
    assert PROBE.judged_on_failure == "up"


def test_a_frozen_server_and_a_network_that_swallows_packets_are_told_apart(
    single: Server,
) -> None:
    single.freeze()
    try:
        frozen = failure_of(single.target(), seconds=0.4)
    finally:
        single.thaw()
    with socket.socket() as full:
        # A backlog that is full drops the first packet, as a firewall would.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with ExitStack() as taken:
            for _ in range(4):
                client = taken.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            target = single.target()
            target = replace(target, address=replace(target.address, port=port))
            hole = failure_of(target, seconds=0.4)
    assert frozen.kind == hole.kind == "timeout"
    assert "behind it says nothing" in frozen.message
    assert "kill -CONT PID" in frozen.hint.id
    assert "nothing answers" in hole.message
    assert (frozen.reached, hole.reached) == (True, False)
    refused = replace(target, address=replace(target.address, port=free_port()))
    assert failure_of(refused).kind == "refused"


def test_a_starting_and_a_stopping_server_each_say_what_they_do(single: Server) -> None:
    """Startup is held open by a restore command that waits for a file."""
    single.stop()
    go = single.folder / "go"
    (single.data / "recovery.signal").touch()
    restore = single.settings
    single.settings = restore | {
        "restore_command": f"while [ ! -e {go} ]; do sleep 0.05; done; false",
        "hot_standby": "off",
    }
    single.launch()
    try:
        starting = until(lambda: _refusal(single), "the server refusing logins")
        assert "starting" in starting.hint.en
    finally:
        go.touch()
        until(lambda: not (single.data / "recovery.signal").exists(), "recovery ending")
        until(lambda: _logs_in(single), "logins after recovery")
    single.settings = restore
    with single.busy_client():
        single.begin_smart_shutdown()
        stopping = until(lambda: _refusal(single), "the server refusing logins")
        assert "shutting down" in stopping.hint.en
    single.stop()
    single.start()


def _refusal(server: Server) -> Failure | None:
    try:
        with session_to(server.target(), 2):
            return None
    except ProbeError as error:
        said = error.failure
        return said if said.kind == "refused" and "FATAL" in said.message else None


def _logs_in(server: Server) -> bool:
    try:
        with session_to(server.target(), 2):
            return True
    except ProbeError:
        return False
