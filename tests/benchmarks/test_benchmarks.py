"""The benchmarks' arithmetic, and a stand-in that answers like the real server."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import daemon, measure, report
from benchmarks.network import Relay
from benchmarks.recording import Recorder, Recording
from benchmarks.scale import StandIn
from benchmarks.stuck_mount import stuck_mount
from probes import FailureKind, Reading, Secret, Target
from probes.local.mounts import Mounts, StuckError
from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.servers import postgresql
from tests.support.wait import until


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(bench.NAMES)


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["--only", "nothing"])
    assert ended.value.code == 2
    assert "peers" in capsys.readouterr().err


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert measure.percentile(values, 0.99) == 99.0
    assert measure.percentile(values, 1.0) == 100.0
    assert measure.percentile([7.0], 0.5) == 7.0
    assert math.isnan(measure.percentile([], 0.5))


def test_cpu_of_a_process_counts_what_it_used() -> None:
    before = measure.tree_cpu_seconds(os.getpid())
    while measure.tree_cpu_seconds(os.getpid()) < before + 0.05:
        sum(range(10_000))


def test_a_placement_ends_with_its_block() -> None:
    before = os.sched_getaffinity(0)
    with measure.placed({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.root
def test_a_mount_that_stops_answering_holds_one_thread_and_is_seen_again(tmp_path: Path) -> None:
    def waiting() -> int:
        return sum(each.name == f"look at {place}" for each in threading.enumerate())

    mounts, place = Mounts(), tmp_path / "mount"
    with stuck_mount(place) as mount:
        assert mounts.look(str(place), 5).free_bytes == 2 << 30
        mount.hang()
        for _ in range(50):
            with pytest.raises(StuckError):
                mounts.look(str(place), 0.05)
        assert waiting() == 1
        mount.heal()
        until("the thread let go", lambda: not waiting())
        assert mounts.look(str(place), 5).mount == str(place)
    assert not os.path.ismount(place)


def test_a_relay_hands_on_falls_silent_and_speaks_again() -> None:
    def echo() -> None:
        for _ in range(2):  # what is asked while the relay is silent does not come here
            connection, _ = behind.accept()
            with connection:
                connection.sendall(connection.recv(100))

    def ask(seconds: float) -> bytes:
        with socket.create_connection(("127.0.0.1", relay.port), seconds) as client:
            client.sendall(b"hidup?")
            return client.recv(100)

    with socket.create_server(("127.0.0.1", 0)) as behind:
        threading.Thread(target=echo, daemon=True).start()
        relay = Relay(behind.getsockname()[1])
        try:
            assert ask(5) == b"hidup?"
            relay.silent = True
            with pytest.raises(TimeoutError):
                ask(0.1)
            relay.silent = False
            assert ask(5) == b"hidup?"
        finally:
            relay.close()


def test_what_was_not_measured_is_said() -> None:
    row = report.table(("what", "figure"), [["a", math.nan], ["b", 0.012345], ["c", 12345]])
    assert "| a | not measured |" in row
    assert "| b | 0.0123 |" in row
    assert "| c | 12,345 |" in row
    assert report.times(1.0, 0.0) == "not measured"


def readings(target: Target, rounds: int = 1) -> list[Reading]:
    owner = Owner(target, engine("postgresql"), 5.0)
    wanted = (*daemon.FOUR, daemon.LOGIN)
    asked = [probe for probe in probes_for("postgresql") if probe.name in wanted]
    taken = [r for _ in range(rounds) for r in owner.round(asked, lambda: datetime.now(UTC))]
    owner.drop()
    return taken


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[Recording, Target, list[Reading]]]:
    with postgresql.single() as server:
        recorder = Recorder(server.port)
        target = server.target("simpeg")
        through = replace(target, address=replace(target.address, port=recorder.port))
        yield recorder.recording, target, readings(through, rounds=2)
        recorder.close()


def stand_in(folder: Path, recording: Recording, password: str) -> StandIn:
    file = folder / "recording.json"
    answers = {sql.hex(): said.hex() for sql, said in recording.answers.items()}
    greeting = recording.greeting.hex()
    file.write_text(json.dumps({"greeting": greeting, "answers": answers, "password": password}))
    return StandIn(file)


@pytest.mark.servers
def test_the_stand_in_says_what_the_real_server_said(
    recorded: tuple[Recording, Target, list[Reading]], tmp_path: Path
) -> None:
    recording, target, real = recorded
    playing = stand_in(tmp_path, recording, postgresql.MONITOR_PASSWORD)
    played = readings(replace(target, address=replace(target.address, port=playing.port)), 2)
    said = playing.stop()
    assert [r.failure for r in played] == [None] * len(real)
    for ours, theirs in zip(played, real, strict=True):
        assert {m.measure for m in ours.measurements} == {m.measure for m in theirs.measurements}
    assert (said["unknown"], said["refused"], said["logins"]) == (0, 0, 3)  # one kept, two fresh


@pytest.mark.servers
def test_the_stand_in_refuses_a_wrong_password(
    recorded: tuple[Recording, Target, list[Reading]], tmp_path: Path
) -> None:
    recording, target, _ = recorded
    playing = stand_in(tmp_path, recording, postgresql.MONITOR_PASSWORD)
    wrong = replace(target.address, port=playing.port, password=Secret("salah"))
    (first, *_) = readings(replace(target, address=wrong))
    said = playing.stop()
    assert first.failure is not None
    assert first.failure.kind is FailureKind.DENIED
    assert said["refused"] >= 1


@pytest.mark.servers
def test_the_stand_in_invents_no_answer(
    recorded: tuple[Recording, Target, list[Reading]], tmp_path: Path
) -> None:
    recording, target, _ = recorded
    playing = stand_in(tmp_path, Recording(recording.greeting, {}), "")
    (first, *_) = readings(replace(target, address=replace(target.address, port=playing.port)))
    assert first.failure is not None
    assert playing.stop()["unknown"] >= 1
