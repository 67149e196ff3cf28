"""Archive, checksums, settings and crashes: data at risk."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from probes import Measurement, Probe, ProbeError
from probes.model import Memory
from probes.postgresql.connection import restart
from probes.postgresql.storage import archiver, checksums, durability_settings
from tests.probes.postgresql.asking import again, exhibits, read, session_to, title_of, values
from tests.servers import postgresql
from tests.servers.machine import ordinary_user
from tests.servers.postgresql import Server, until

Found = dict[tuple[str, str], Measurement]


@pytest.fixture(scope="module")
def single() -> Iterator[Server]:
    """A server that archives, with a command that fails or hangs as a file tells it to."""
    with postgresql.single({"archive_mode": "on", "archive_command": "true"}) as server:
        yield server


@contextmanager
def archiving_by(server: Server, command: str) -> Iterator[None]:
    server.stop()
    before, server.settings["archive_command"] = server.settings["archive_command"], command
    server.start()
    try:
        yield
    finally:
        server.stop()
        server.settings["archive_command"] = before
        server.start()


@pytest.mark.servers
def test_archiving_that_works_is_silent_however_long_ago_the_last_segment_was(
    single: Server,
) -> None:
    single.fill(1)
    single.sql("select pg_switch_wal()")
    until(lambda: values(archiver.PROBE, single.target())["archive_ready_files"] == 0, "archived")
    assert values(archiver.PROBE, single.target())["archive_failing_seconds"] == 0


@pytest.mark.servers
def test_an_archive_command_that_fails_is_told_with_its_segment(single: Server) -> None:
    with archiving_by(single, "false"), session_to(single.target(), 30) as session:
        single.fill(1)
        single.sql("select pg_switch_wal()")
        found = until(
            lambda: _beyond(archiver.PROBE, session, "archive_failing_seconds"), "the failure"
        )
        title = title_of(archiver.PROBE, found, "archive_failing_seconds")
        assert "at 0000000100000000" in title
        assert "segments wait" in title
        state, settings = exhibits(archiver.PROBE, single.target())
        assert "false" in settings.rows[0]
        assert state.rows


@pytest.mark.servers
def test_an_archive_command_that_hangs_is_seen_by_its_backlog_alone(single: Server) -> None:
    go = single.folder / "arsip-jalan"
    hangs = f"while [ ! -e {go} ]; do sleep 0.05; done"
    with archiving_by(single, hangs), session_to(single.target(), 30) as session:
        single.fill(1)
        single.sql("select pg_switch_wal()")
        found = until(
            lambda: _beyond(archiver.PROBE, session, "archive_oldest_ready_seconds"), "waiting"
        )
        assert found["archive_failing_seconds", ""].value == 0
        assert found["archive_ready_files", ""].value >= 1
        go.touch()


@pytest.mark.servers
def test_an_empty_archive_command_keeps_wal_and_is_told_in_its_own_words(single: Server) -> None:
    with archiving_by(single, ""), session_to(single.target(), 30) as session:
        single.fill(1)
        single.sql("select pg_switch_wal()")
        found = until(lambda: _beyond(archiver.PROBE, session, "archive_unset_seconds"), "waiting")
        assert "archive_command is empty" in title_of(
            archiver.PROBE, found, "archive_unset_seconds"
        )
        assert ("archive_oldest_ready_seconds", "") not in found  # nothing hangs
        assert found["archive_failing_seconds", ""].value == 0
    assert values(archiver.PROBE, single.target())["archive_unset_seconds"] == 0


@pytest.mark.servers
def test_a_command_emptied_after_it_failed_no_longer_fails(single: Server) -> None:
    with archiving_by(single, "false"), session_to(single.target(), 30) as session:
        single.fill(1)
        single.sql("select pg_switch_wal()")
        until(lambda: _beyond(archiver.PROBE, session, "archive_failing_seconds"), "the failure")
    with archiving_by(single, ""):
        assert values(archiver.PROBE, single.target())["archive_failing_seconds"] == 0


def _beyond(probe: Probe, session: Any, measure: str) -> Found | None:
    found = again(probe, session)
    return found if found[measure, ""].value > 0 else None


@pytest.mark.servers
def test_a_server_that_does_not_archive_is_not_asked_to() -> None:
    with postgresql.single() as server:
        assert read(archiver.PROBE, server.target()) == {}
        _damage_is_counted(server)


def _damage_is_counted(server: Server) -> None:
    """A page is damaged on disk while the server is down, as bad storage would."""
    assert values(checksums.PROBE, server.target())["data_checksums"] == 0
    server.sql("create table berkas as select n from generate_series(1, 1000) n")
    path = server.sql("select pg_relation_filepath('berkas')")[0][0]
    server.stop()
    subprocess.run(
        [str(server.programs / "pg_checksums"), "-e", "-D", str(server.data)],
        user=ordinary_user(), cwd="/", check=True, capture_output=True,
    )  # fmt: skip
    with (server.data / path).open("r+b") as file:
        file.seek(4000)
        file.write(b"rusak")
    server.start()
    assert read(checksums.PROBE, server.target())["data_checksums", ""].value == 1
    with pytest.raises(psycopg2.Error, match="invalid page"):
        server.sql("select count(*) from berkas")
    found = until(lambda: _damaged(server), "the failure being counted")
    assert found["checksum_failures", "postgres"].value >= 1
    found = {("checksum_failures", "postgres"): found["checksum_failures", "postgres"]}
    assert "damaged pages were read in database postgres" in title_of(
        checksums.PROBE, found, "checksum_failures"
    )


def _damaged(server: Server) -> Found | None:
    found = read(checksums.PROBE, server.target())
    return found if found["checksum_failures", "postgres"].value else None


@pytest.mark.servers
def test_unsafe_settings_are_named(single: Server) -> None:
    """The test's own servers run without fsync, which is exactly what this is about."""
    found = read(durability_settings.PROBE, single.target())
    title = title_of(durability_settings.PROBE, found, "unsafe_settings")
    assert "fsync = off" in title
    assert "full_page_writes = off" in title
    (table,) = exhibits(durability_settings.PROBE, single.target())
    assert len(table.rows) == found["unsafe_settings", ""].value


@pytest.mark.servers
def test_a_crashed_backend_is_told_although_the_postmaster_never_stopped(single: Server) -> None:
    memory = Memory()
    before = _restart(single, memory)
    assert before["crash_recovered", ""].value == 0
    victim = single.connect()
    os.kill(victim.info.backend_pid, signal.SIGKILL)
    until(lambda: _answers(single), "the server taking logins again")
    found = until(lambda: _crashed(single, memory), "the crash being seen")
    assert "a process crashed" in title_of(restart.PROBE, found, "crash_recovered")
    victim.close()


@pytest.mark.servers
def test_a_clean_restart_is_no_crash_and_a_hard_stop_is_one(single: Server) -> None:
    memory = Memory()
    _restart(single, memory)
    single.restart()
    found = _restart(single, memory)
    assert found["crash_recovered", ""].value == 0
    assert "the server was restarted" in title_of(restart.PROBE, found, "since_restart_seconds")
    single.stop(hard=True)
    single.start()
    found = _restart(single, memory)
    assert found["crash_recovered", ""].value == 1
    assert "crashed or lost power" in title_of(restart.PROBE, found, "crash_recovered")


def _restart(server: Server, memory: Memory) -> Found:
    with session_to(server.target()) as session:
        vars(session)["memory"] = memory
        return again(restart.PROBE, session)


def _crashed(server: Server, memory: Memory) -> Found | None:
    try:
        found = _restart(server, memory)
    except ProbeError:  # it may still end the sessions of before, or be recovering
        return None
    return found if found["crash_recovered", ""].value else None


def _answers(server: Server) -> bool:
    try:
        server.sql("select 1")
    except psycopg2.Error:
        return False
    return True


@pytest.mark.servers
def test_the_first_start_that_is_seen_is_no_restart_and_the_next_one_is(single: Server) -> None:
    memory = Memory()
    assert ("since_restart_seconds", "") not in _restart(single, memory)
    assert ("since_restart_seconds", "") not in _restart(single, memory)
    outlives = Memory(memory.kept)  # what is left after the agent's restart
    single.restart()
    for known in (memory, outlives):
        found = _restart(single, known)
        assert found["since_restart_seconds", ""].value == found["uptime_seconds", ""].value


# -- rules, on rows ---------------------------------------------------------------------------


def row(**changes: Any) -> dict[str, Any]:
    """A server started long ago, whose statistics are as old as it."""
    usual = {"now": 1e6, "started": 1e3, "checkpointer": 1e3, "stats_reset": 500.0}
    return usual | {"in_recovery": False} | changes


def test_a_crash_stays_said_for_a_quarter_of_an_hour() -> None:
    memory = Memory()
    crash = row(checkpointer=1e6 - 60)
    said = {m.measure: m.value for m in restart.judged(crash, 150018, memory)}
    assert said == {"uptime_seconds": 60, "since_restart_seconds": 60, "crash_recovered": 1}
    later = {m.measure: m.value for m in restart.judged(crash | {"now": 1e6 + 900}, 150018, memory)}
    assert later["crash_recovered"] == 0


def test_a_replica_copied_anew_has_not_crashed_though_its_statistics_are_young() -> None:
    memory = Memory()
    first = row(started=1e6 - 7200, checkpointer=1e6 - 7200)
    list(restart.judged(first, 150018, memory))
    asked: list[float] = []
    copy = row(now=1e6 + 60, started=1e6, checkpointer=1e6, stats_reset=1e6 + 1)

    def copied(at: float) -> bool:
        asked.append(at)
        return True

    said = restart.judged(copy, 150018, memory, copied)
    assert {m.measure: m.value for m in said}["crash_recovered"] == 0
    assert asked == [first["now"]]


@pytest.mark.parametrize(
    ("version", "in_recovery", "crashed"),
    [(130018, True, 0), (130018, False, 1), (150018, True, 1)],
)
def test_before_15_a_standbys_young_statistics_prove_no_crash(
    version: int, in_recovery: bool, crashed: int
) -> None:
    memory = Memory()
    list(restart.judged(row(in_recovery=in_recovery), version, memory))
    begun = {"now": 1e6 + 60, "started": 1e6, "checkpointer": 1e6, "stats_reset": 1e6 + 1}
    after = row(in_recovery=in_recovery, **begun)
    said = {m.measure: m.value for m in restart.judged(after, version, memory)}
    assert said["crash_recovered"] == crashed


def test_before_15_a_late_checkpointer_alone_proves_no_crash() -> None:
    long_recovery = row(checkpointer=1e6 - 60)
    said = {m.measure: m.value for m in restart.judged(long_recovery, 130018, Memory())}
    assert said["crash_recovered"] == 0
