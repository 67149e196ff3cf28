"""Benchmark with a thousand targets, four probes each every 15 seconds, five per cent of them
frozen.

The agent is real and has a core to itself; the servers are two stand-ins on the other core that
play back a real PostgreSQL's answers to the same probes. One of them is stopped (SIGSTOP).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import daemon, grounds, report
from benchmarks.daemon import Daemon, Round
from benchmarks.measure import cores, median, percentile, placed, series
from benchmarks.recording import Recorder, Recording
from benchmarks.scraping import Scraper
from benchmarks.size import Size
from probes import Secret
from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.servers import postgresql
from tests.support.agent import environment
from tests.support.wait import until

ABOUT = "1,000 targets x 4 probes every 15 s, 5 % of them frozen; /metrics at 30,000 series"
FROZEN_SHARE = 0.05
INTERVAL_SECONDS = 15.0
SERIES = 30_000


def run(size: Size) -> Iterator[str]:
    """One table for the fleet by kind of login, one for the scrape."""
    targets = size.of(60, 1000, 1000)
    windows = size.of(2, 3, 12)
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as name:
        folder = Path(name)
        recording = _recorded()
        rows = []
        for login, password in (("SCRAM-SHA-256", postgresql.MONITOR_PASSWORD), ("trust", "")):
            with _fleet(folder, recording, targets, password) as fleet:
                rows.append(_watched(login, fleet, windows))
        yield _fleet_table(rows, targets)
        yield _scrapes(folder, recording, rows[-1], size)


def _recorded() -> Recording:
    """A real server's answers to the four probes, three rounds of them."""
    with grounds.postgres(tables=False) as ground:
        recorder = Recorder(ground.target.address.port)
        address = replace(ground.target.address, port=recorder.port)
        owner = Owner(replace(ground.target, address=address), engine("postgresql"), 5.0)
        asked = [
            probe
            for probe in probes_for("postgresql")
            if probe.name in (*daemon.FOUR, daemon.LOGIN)
        ]
        for _ in range(3):
            for reading in owner.round(asked, lambda: datetime.now(UTC)):
                if reading.failure is not None:
                    raise RuntimeError(f"{reading.probe} failed: {reading.failure.message}")
        owner.drop()
        recorder.close()
    return recorder.recording


class StandIn:
    """A process that plays a recording back."""

    def __init__(self, file: Path) -> None:
        with file.with_suffix(".err").open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.standin", str(file)],
                cwd=Path(__file__).parent.parent,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.port = int(self._line()["port"])

    def _line(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        said: dict[str, Any] = json.loads(self.popen.stdout.readline())
        return said

    def freeze(self) -> None:
        self.popen.send_signal(signal.SIGSTOP)

    def stop(self) -> dict[str, Any]:
        """End it; its counts."""
        self.popen.send_signal(signal.SIGCONT)
        self.popen.send_signal(signal.SIGTERM)
        with self.popen:  # closes its output
            said = self._line()
            self.popen.wait(30)
        return said


@dataclass
class Fleet:
    """An agent and the stand-ins it monitors."""

    agent: Daemon
    healthy: StandIn
    frozen: StandIn
    targets: int
    to_freeze: int
    start_seconds: float


@contextmanager
def _fleet(folder: Path, recording: Recording, targets: int, password: str) -> Iterator[Fleet]:
    measured, around = cores()
    file = folder / "recording.json"
    answers = {sql.hex(): said.hex() for sql, said in recording.answers.items()}
    kept = {"greeting": recording.greeting.hex(), "answers": answers, "password": password}
    file.write_text(json.dumps(kept), encoding="utf-8")
    with ExitStack() as stack:
        stack.enter_context(placed(around))
        stand_ins = [StandIn(file), StandIn(file)]
        for each in stand_ins:
            stack.callback(each.popen.wait)
            stack.callback(each.popen.kill)
        to_freeze = round(targets * FROZEN_SHARE)
        four = daemon.only("postgresql", daemon.FOUR, "15s")
        lines = [daemon.head("15s", "5s")]
        for number in range(targets):
            port = stand_ins[1 if number < to_freeze else 0].port
            secret = f":{Secret(password).reveal()}" if password else ""
            lines.append(
                f"  - name: t{number:04}\n    engine: postgresql\n    local: false\n"
                f"    url: postgresql://sigap{secret}@127.0.0.1:{port}/postgres\n"
                f"    probes: {four}\n"
            )
        started = time.monotonic()
        with placed(measured):
            agent = stack.enter_context(daemon.running(folder, "".join(lines)))
        took = time.monotonic() - started
        fleet = Fleet(agent, stand_ins[0], stand_ins[1], targets, to_freeze, took)
        until("every target up", lambda: _up(agent) == targets, 90)
        yield fleet


def _up(agent: Daemon) -> float:
    time.sleep(1.0)  # the page of a thousand targets is large, and this is no measurement
    return agent.total("sigap_target_up")


@dataclass
class Row:
    """What one kind of login gave."""

    login: str
    cpu: float
    cpu_healthy: float
    late: list[float]
    rounds: int
    rss_mb: float
    threads: int
    skipped: float
    series: int
    start_seconds: float
    per_target: float


def _watched(login: str, fleet: Fleet, windows: int) -> Row:
    agent = fleet.agent
    time.sleep(INTERVAL_SECONDS)
    healthy = _cpu(agent, 2 * INTERVAL_SECONDS)
    fleet.frozen.freeze()
    time.sleep(INTERVAL_SECONDS)  # the first hung rounds wait in what was already asked
    since = time.monotonic()
    share = _cpu(agent, windows * INTERVAL_SECONDS)
    ended = time.monotonic()
    rss, threads = agent.rss_bytes() / 1e6, agent.process.num_threads()
    page = agent.page()
    down = sum(
        line.startswith("sigap_target_up{") and line.endswith(" 0.0") for line in page.splitlines()
    )
    if down != fleet.to_freeze:
        raise RuntimeError(f"{down} targets are down, {fleet.to_freeze} were frozen")
    skipped = agent.total("sigap_agent_rounds_skipped_total")
    rounds = agent.stop()
    said = fleet.healthy.stop()
    if said["unknown"] or said["refused"]:
        raise RuntimeError(f"the stand-in could not play its part: {said}")
    late = _late(rounds, since, ended, fleet.to_freeze)
    count = series(page.encode())
    return Row(
        login, share, healthy, late, len(late), rss, threads, skipped, count,
        fleet.start_seconds, count / fleet.targets,
    )  # fmt: skip


def _cpu(agent: Daemon, seconds: float) -> float:
    """Share of a core without scrapes."""
    since, used = time.monotonic(), agent.cpu_seconds()
    time.sleep(seconds)
    return (agent.cpu_seconds() - used) / (time.monotonic() - since)


def _late(rounds: list[Round], since: float, until: float, to_freeze: int) -> list[float]:
    return [
        each.late * 1000
        for each in rounds
        if since <= each.at < until and int(each.target[1:]) >= to_freeze
    ]


def _fleet_table(rows: list[Row], targets: int) -> str:
    head = (
        "login", "CPU of a core, none frozen", "CPU, 5 % frozen", "late p50 ms", "late p99 ms",
        "latest ms", "healthy rounds", "skipped", "RSS MB", "threads", "series", "start s",
    )  # fmt: skip
    cells: list[list[report.Cell]] = [
        [
            row.login,
            f"{row.cpu_healthy:.0%}",
            f"{row.cpu:.0%}",
            median(row.late),
            percentile(row.late, 0.99),
            max(row.late),
            row.rounds,
            int(row.skipped),
            row.rss_mb,
            row.threads,
            row.series,
            row.start_seconds,
        ]
        for row in rows
    ]
    goals = "; ".join(
        f"{row.login}: CPU within 25 % {report.goal(row.cpu <= 0.25)}, lateness p99 under 20 ms "
        f"{report.goal(percentile(row.late, 0.99) < 20)}"
        for row in rows
    )
    ratio = report.times(rows[0].cpu, rows[1].cpu)
    return (
        f"{targets:,} targets; `skipped` counts the frozen ones' too.\n\n"
        + report.table(head, cells)
        + f"\n{goals}. Passwords cost {ratio}: a login computes 4,096 "
        "hashes, which is SCRAM's purpose.\n"
    )


def _scrapes(folder: Path, recording: Recording, row: Row, size: Size) -> str:
    """The scrape of as many targets as give 30,000 series, with 5 % frozen, while they are read."""
    targets = max(1, round(SERIES / row.per_target))
    count = size.of(30, 500, 2000)
    with _fleet(folder, recording, targets, "") as fleet:
        fleet.frozen.freeze()
        time.sleep(INTERVAL_SECONDS)
        scraper = Scraper(fleet.agent.address)
        taken = []
        for _ in range(count):
            seconds = scraper.scrape()
            if seconds is None:
                raise RuntimeError("a scrape was not answered within 10 s")
            taken.append(seconds * 1000)
            time.sleep(0.05)
        found, size_kb = series(scraper.page), len(scraper.page) / 1000
    cells: list[list[report.Cell]] = [
        [
            f"{targets} targets", found, size_kb, count,
            median(taken), percentile(taken, 0.99), max(taken),
        ]
    ]  # fmt: skip
    head = ("/metrics", "series", "kB", "scrapes", "p50 ms", "p99 ms", "longest ms")
    met = report.goal(percentile(taken, 0.99) < 20)
    return report.table(head, cells) + f"\nGoal, p99 under 20 ms at 30,000 series: {met}.\n"
