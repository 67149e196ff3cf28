"""The benchmarks measure what they say: their arithmetic, and a stand-in that is no invention."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import daemon, measure, report
from benchmarks.recording import Recorder, Recording
from benchmarks.scale import StandIn
from probes import FailureKind, Reading, Secret, Target
from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.servers import postgresql


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


def test_what_was_not_measured_is_said() -> None:
    row = report.table(("what", "figure"), [["a", math.nan], ["b", 0.012345], ["c", 12345]])
    assert "| a | not measured |" in row
    assert "| b | 0.0123 |" in row
    assert "| c | 12,345 |" in row
    assert report.times(1.0, 0.0) == "not measured"


def readings(target: Target, rounds: int = 1) -> list[Reading]:
    owner = Owner(target, engine("postgresql"), 5.0)
    four = [probe for probe in probes_for("postgresql") if probe.name in daemon.FOUR]
    taken = [r for _ in range(rounds) for r in owner.round(four, lambda: datetime.now(UTC))]
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
