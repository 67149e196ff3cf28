"""What is seen from outside of a server that is down: real processes, real files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from probes import Address, Down, Failure, FailureKind, Target, deadline, evidence
from probes import host_facts as facts
from probes.host_processes import processes
from probes.runner import HostView
from tests.servers.machine import free_port, until
from tests.support.evidence import Told, all_told, told

DOWN = Down(Failure(FailureKind.REFUSED, "port 1 refuses connections"), 0.25, True, None)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    with deadline.within(10):
        yield


def here(port: int, host: str = "lab") -> Target:
    return Target("simpeg", "postgresql", Address("127.0.0.1", port, "sigap"), host=host)


@contextmanager
def a_server_in(folder: Path) -> Iterator[psutil.Process]:
    """A process that is called and stands as the server's does."""
    program = folder / "postgres"
    program.write_bytes(Path("/bin/sleep").resolve().read_bytes())
    program.chmod(0o755)
    child = subprocess.Popen([str(program), "600"], cwd=folder)
    process = psutil.Process(child.pid)
    try:
        until(lambda: process.name() == "postgres", "the program being run")
        yield process
    finally:
        child.kill()
        child.wait()


def rows_of(pid: int, exhibit: Told) -> list[tuple[str, ...]]:
    """Its rows; somebody else's zombies of the same name may be among the others."""
    return [row for row in exhibit.rows if row[0] == str(pid)]


def test_a_stopped_process_of_the_server_is_called_stopped(tmp_path: Path) -> None:
    with a_server_in(tmp_path) as process:
        process.suspend()
        until(lambda: process.status() == psutil.STATUS_STOPPED, "the process being stopped")
        shown = told(processes(here(free_port()), str(tmp_path)))
    (row,) = rows_of(process.pid, shown)
    assert row[1:3] == ("postgres", "stopped (T)")
    assert row[-1] == str(tmp_path)


def test_a_process_nobody_has_buried_is_called_a_zombie(tmp_path: Path) -> None:
    with a_server_in(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        until(lambda: process.status() == psutil.STATUS_ZOMBIE, "the process being dead")
        shown = told(processes(here(free_port()), str(tmp_path)))
    (row,) = rows_of(process.pid, shown)
    assert row[2] == "zombie (Z)"
    assert "no process of the server" in shown.note


def test_another_server_of_the_same_name_is_not_taken_for_ours(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    with a_server_in(tmp_path) as process:
        shown = told(processes(here(free_port()), str(ours)))
    assert rows_of(process.pid, shown) == []
    assert "no process of the server" in shown.note


def test_that_nothing_listens_is_said_with_the_port(tmp_path: Path) -> None:
    port = free_port()
    shown = told(processes(here(port), str(tmp_path)))
    assert f"nothing listens on port {port}" in shown.note


def test_a_stranger_on_the_servers_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        shown = told(processes(here(port), str(tmp_path)))
    (row,) = rows_of(os.getpid(), shown)
    assert row[-2] == f"port {port}"
    assert "no process of the server" in shown.note


def test_whoever_holds_the_servers_socket_is_named(tmp_path: Path) -> None:
    target = Target("simpeg", "postgresql", Address(str(tmp_path), 5432, "sigap"), host="lab")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / ".s.PGSQL.5432"))
        listening.listen()
        shown = told(processes(target, ""))
    assert str(os.getpid()) in [row[0] for row in shown.rows]


LINES = """\
2026-11-26 07:00:00.123 WIB [1] LOG:  database system was shut down at 06:59
2026-11-26 07:00:01.123 WIB [9] ERROR:  duplicate key value violates unique constraint "nik"
2026-11-26 07:00:01.123 WIB [9] DETAIL:  Key (nik)=(6472010101010001) already exists.
2026-11-26 07:00:01.123 WIB [9] STATEMENT:  insert into warga values ('6472010101010001')
2026-11-26 07:00:01.200 WIB [9] LOG:  duration: 9 ms  statement: select 'Budi'
2026-11-26 07:00:02.123 WIB [1] FATAL:  could not write lock file: password=rahasia
"""


def test_the_log_says_why_and_keeps_peoples_data_and_secrets_out(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(LINES)
    (shown,) = all_told(evidence.bounded([facts.log_tail(str(tmp_path))]))
    assert [row[0].partition("] ")[2] for row in shown.rows] == [
        "LOG:  database system was shut down at 06:59",
        "FATAL:  could not write lock file: password=***",
    ]
    assert str(tmp_path / "server.log") in shown.note


POOLER_LINES = """\
2026-11-26 09:19:44.301 UTC [11055] LOG C-0x56: simpeg/petugas@10.0.0.9:49110 login attempt
2026-11-26 09:19:44.301 UTC [11055] LOG S-0x57: simpeg/petugas@unix closing because: connect failed
2026-11-26 09:19:44.400 UTC [11055] LOG stats: 0 xacts/s, 0 queries/s
2026-11-26 09:19:45.000 UTC [11055] WARNING sbuf_connect failed: No such file or directory
2026-11-26 09:19:46.000 UTC [11055] LOG PAUSE command issued
"""


def test_the_log_of_a_pooler_is_one_file_and_its_clients_comings_are_left_out(
    tmp_path: Path,
) -> None:
    """Its neighbours in the directory are PostgreSQL's, and newer."""
    (tmp_path / "pgbouncer.log").write_text(POOLER_LINES)
    (tmp_path / "postgresql.log").write_text(LINES)
    shown = told(facts.log_tail(str(tmp_path / "pgbouncer.log")))
    assert [row[0].partition("[11055] ")[2] for row in shown.rows] == [
        "LOG S-0x57: simpeg/petugas@unix closing because: connect failed",
        "WARNING sbuf_connect failed: No such file or directory",
        "LOG PAUSE command issued",
    ]
    assert shown.note.startswith(str(tmp_path / "pgbouncer.log"))


def test_of_a_long_log_the_last_lines_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mysql.err").write_text(
        "".join(f"2026-11-26 7:00:00 0 [Note] line {n} of InnoDB\n" for n in range(50_000))
    )
    shown = told(facts.log_tail(str(tmp_path)))
    assert len(shown.rows) == facts.MOST_LINES
    assert "line 49999" in shown.rows[-1][0]


def test_a_newer_file_without_a_word_of_the_server_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(LINES)
    os.utime(tmp_path / "server.log", (1, 1))
    (tmp_path / "slow.log").write_text("SELECT 'Budi';\n")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "linked.log").symlink_to(tmp_path / "slow.log")
    assert "server.log" in told(facts.log_tail(str(tmp_path))).note


def test_a_server_elsewhere_shows_its_failure_and_nothing_of_this_host() -> None:
    (shown,) = all_told(facts.when_down(HostView(here(1, host=""), {"data": "/"}, {}), DOWN))
    assert shown.rows == (
        (
            "refused",
            "logging in",
            "0.25 s",
            "not since Sigap started",
            "port 1 refuses connections",
        ),
    )


def test_what_cannot_be_looked_at_is_said_and_hides_nothing_else(tmp_path: Path) -> None:
    paths = {"data": str(tmp_path / "gone"), "log": str(tmp_path / "gone")}
    shown = all_told(facts.when_down(HostView(here(free_port()), paths, {}), DOWN))
    assert len(shown) == 5
    assert "could not be looked at" in shown[2].note
    assert str(tmp_path / "gone") in shown[3].note
    assert shown[4].rows


def test_a_server_that_was_never_seen_is_shown_as_far_as_it_can_be() -> None:
    shown = all_told(facts.when_down(HostView(here(free_port()), {}, {}), DOWN))
    assert "did not say where its files are" in shown[3].note


def test_the_last_answer_is_told_as_a_moment() -> None:
    at = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
    down = Down(DOWN.failure, 5.0, False, at)
    ((_, phase, took, answered, _),) = told(facts.the_failure(down)).rows
    assert (phase, took, answered) == ("asking on an open session", "5 s", "2026-11-26T07:00:00Z")
