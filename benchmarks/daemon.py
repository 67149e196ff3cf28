"""Runs the real ``sigap run`` in a separate process, on a free loopback port."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.measure import go_ahead
from benchmarks.scraping import Scraper
from probes.registry import probes_for
from tests.support.agent import environment
from tests.support.wait import until

FOUR = ("availability", "blocked_sessions", "connections", "replication_lag")
"""The four questions of the goals: is it up, who blocks, how full, how far behind."""

LOGIN = "login"
"""Belongs to the first of them, and keeps its own interval."""


def only(engine: str, wanted: Sequence[str], every: str) -> str:
    """The ``probes:`` of a target that asks just these, in flow style."""
    lines = []
    for probe in probes_for(engine):
        if probe.name in wanted:
            lines.append(f"{probe.name}: {{every: {every}}}")
        elif probe.name == LOGIN and "availability" in wanted:
            lines.append(f"{probe.name}: {{enabled: true}}")
        else:
            lines.append(f"{probe.name}: {{enabled: false}}")
    return "{" + ", ".join(lines) + "}"


@dataclass(frozen=True)
class Round:
    """One round that began."""

    at: float  # monotonic, the same clock in every process
    late: float  # seconds
    target: str


class Daemon:
    """A running agent."""

    def __init__(self, folder: Path, config: str, *, watched: bool = True) -> None:
        """``watched``: record how late every round begins; otherwise exactly ``sigap run``."""
        self.folder = folder
        self._notes = folder / "rounds.json"
        self._log = folder / "agent.log"
        file = folder / "agent.yaml"
        file.write_text(config, encoding="utf-8")
        command = ["-m", "agent", "run", "-c", str(file)]
        if watched:
            command = ["-m", "benchmarks.instrument", str(file), str(self._notes)]
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.process = psutil.Process(self.popen.pid)
        go_ahead(self.popen.pid)
        self.address = until("the agent listening", self._listening, 120)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def _listening(self) -> str:
        if self.popen.poll() is not None:
            raise RuntimeError(f"the agent ended with {self.popen.returncode}: {self.log}")
        found = re.search(r"listens on (http://\S+)", self.log)
        return found[1] if found else ""

    def cpu_seconds(self) -> float:
        """CPU used so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def rss_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def page(self) -> str:
        """/metrics now."""
        scraper = Scraper(self.address)
        scraper.scrape()
        scraper.close()
        return scraper.page.decode()

    def total(self, family: str, containing: str = "") -> float:
        """The sum of a family's samples."""
        return sum(
            float(line.rpartition(" ")[2])
            for line in self.page().splitlines()
            if re.match(rf"{family}[ {{]", line) and containing in line
        )

    def stop(self) -> list[Round]:
        """End it; every round it noted."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(30)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(10)
        if not self._notes.exists():
            return []
        return [Round(*each) for each in json.loads(self._notes.read_text(encoding="utf-8"))]


@contextmanager
def running(folder: Path, config: str, *, watched: bool = True) -> Iterator[Daemon]:
    """An agent, gone afterwards."""
    daemon = Daemon(folder, config, watched=watched)
    try:
        yield daemon
    finally:
        daemon.stop()


def head(interval: str, deadline: str, store: str = "") -> str:
    """The first lines of an agent.yaml; targets follow."""
    lines = "agent: {name: bench, listen: '127.0.0.1:0', "
    lines += f"interval: {interval}, deadline: {deadline}}}\n"
    if store:
        lines += f"store: {store}\n"
    return lines + "targets:\n"
