"""Processes of a server as seen from outside: real processes, real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from probes import Address, Target
from probes.local.processes import processes
from probes.wire import deadline
from tests.servers.machine import free_port, until
from tests.support.evidence import Told, told


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    with deadline.within(10):
        yield


def here(port: int) -> Target:
    return Target("simpeg", "postgresql", Address("127.0.0.1", port, "sigap"), host="lab")


@contextmanager
def a_server_in(folder: Path) -> Iterator[psutil.Process]:
    """A process with the server's name and working directory."""
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
    """Its rows; unrelated zombies of the same name may be among the others."""
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


LISTENS = """
import socket, sys
open("/proc/self/comm", "w").write("postgres")
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_server_listening_in(folder: Path) -> Iterator[int]:
    """A process that is called as the server's and listens; its port."""
    child = subprocess.Popen(
        [sys.executable, "-c", LISTENS], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        yield int(child.stdout.readline())
        child.kill()


def test_a_server_that_listens_is_ours_where_people_named_a_folder_below_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "base").mkdir()
    with a_server_listening_in(tmp_path) as port:
        shown = told(processes(here(port), str(tmp_path / "base")))
    assert [row[1] for row in shown.rows if row[-2] == f"port {port}"] == ["postgres"]
    assert "no process of the server" not in shown.note


def test_a_server_that_listens_in_our_place_from_elsewhere_is_not_ours(tmp_path: Path) -> None:
    for name in ("ours", "others"):
        (tmp_path / name).mkdir()
    with a_server_listening_in(tmp_path / "others") as port:
        shown = told(processes(here(port), str(tmp_path / "ours")))
    assert "no process of the server" in shown.note


def test_whoever_holds_the_servers_socket_is_named(tmp_path: Path) -> None:
    target = Target("simpeg", "postgresql", Address(str(tmp_path), 5432, "sigap"), host="lab")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / ".s.PGSQL.5432"))
        listening.listen()
        shown = told(processes(target, ""))
    assert str(os.getpid()) in [row[0] for row in shown.rows]
