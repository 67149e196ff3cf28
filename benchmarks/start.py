"""Benchmark of the time to the first reading and of memory, probe-only and with everything.

A start that creates its store is measured separately, because only it loads Alembic.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import daemon, grounds, report
from benchmarks.daemon import Daemon
from benchmarks.grounds import Ground
from benchmarks.measure import median
from benchmarks.scraping import Scraper
from benchmarks.size import Size
from incidents.store import open_store
from tests.support.agent import target_lines
from tests.support.wait import until

ABOUT = "start to first reading, memory of a probe-only agent and of everything in one process"
START_GOAL_SECONDS = 2.0


@dataclass(frozen=True)
class Shape:
    """One way to run, and the most it may weigh."""

    name: str
    most_mb: float
    store: bool = False
    made: bool = False
    """The store is there already, as at every start but the first."""

    def url(self, folder: Path) -> str:
        """What the configuration names as the store, made when it must be."""
        url = f"sqlite:///{folder}/sigap.db" if self.store else ""
        if self.made:
            open_store(url).close()
        return url


SHAPES = (
    Shape("probes only", 60.0),
    Shape("everything", 110.0, store=True, made=True),
    Shape("everything, the very first start", 110.0, store=True),
)


def run(size: Size) -> Iterator[str]:
    """One table."""
    times, seconds = size.of((1, 5.0), (5, 40.0), (9, 120.0))
    rows: list[list[report.Cell]] = []
    goals = []
    with grounds.postgres(tables=False) as pg, grounds.maria(tables=False) as maria:
        for shape in SHAPES:
            starts, cpus = zip(*(_start(pg, shape) for _ in range(times)), strict=True)
            at_first, later = _weight((pg, maria), shape, seconds)
            rows.append([shape.name, median(starts), max(starts), median(cpus), at_first, later])
            goals.append(
                f"{shape.name}: first reading under {START_GOAL_SECONDS:.0f} s "
                f"{report.goal(median(starts) < START_GOAL_SECONDS)}, "
                f"under {shape.most_mb:.0f} MB {report.goal(later < shape.most_mb)}"
            )
    head = (
        "shape", "start to first reading s", "slowest s", "CPU s of it",
        "RSS MB", f"RSS MB after {seconds:.0f} s of rounds each second",
    )  # fmt: skip
    yield report.table(head, rows)
    yield "Two targets, every probe, host probes too. " + "; ".join(goals) + ".\n"


def _start(ground: Ground, shape: Shape) -> tuple[float, float]:
    """Seconds from starting the process to a reading on /metrics, and CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as name:
        folder = Path(name)
        config = daemon.head("15s", "5s", shape.url(folder)) + target_lines(ground.target)
        with daemon.running(folder, config, watched=False) as agent:
            scraper = Scraper(agent.address)
            while b'sigap_probe_readings_total{target="db",probe="availability"}' not in (
                scraper.page
            ):
                scraper.scrape()
                if time.monotonic() - agent.started > 60:
                    raise RuntimeError(f"no reading within a minute: {agent.log}")
            took = time.monotonic() - agent.started
            scraper.close()
            return took, agent.cpu_seconds()


def _weight(grounds: tuple[Ground, ...], shape: Shape, seconds: float) -> tuple[float, float]:
    """RSS in MB after the first round and after many."""
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as name:
        folder = Path(name)
        targets = (replace(each.target, name=each.target.engine) for each in grounds)
        lines = [target_lines(target) for target in targets]
        config = daemon.head("1s", "1s", shape.url(folder)) + "".join(lines)
        with daemon.running(folder, config, watched=False) as agent:
            until("both up", lambda: agent.total("sigap_target_up") == len(grounds), 60)
            first = _rss(agent)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                agent.page()
                time.sleep(1.0)
            return first, _rss(agent)


def _rss(agent: Daemon) -> float:
    return agent.rss_bytes() / 1e6
