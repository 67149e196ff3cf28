"""From nothing to the first reading, and what a process weighs, probe-only and with everything."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import daemon, grounds, report
from benchmarks.daemon import Daemon
from benchmarks.grounds import Ground
from benchmarks.measure import median
from benchmarks.scraping import Scraper
from benchmarks.size import Size
from tests.support.agent import target_lines
from tests.support.wait import until

ABOUT = "start to first reading, memory of a probe-only agent and of everything in one process"
START_GOAL_SECONDS = 2.0
SHAPES = (("probes only", "", 60.0), ("everything", "sqlite:///sigap.db", 110.0))


def run(size: Size) -> Iterator[str]:
    """One table."""
    times, seconds = size.of((1, 5.0), (5, 40.0), (9, 120.0))
    rows: list[list[report.Cell]] = []
    goals = []
    with grounds.postgres(tables=False) as pg, grounds.maria(tables=False) as maria:
        for shape, store, most in SHAPES:
            starts, cpus = zip(*(_start(pg, store) for _ in range(times)), strict=True)
            at_first, later = _weight((pg, maria), store, seconds)
            rows.append([shape, median(starts), max(starts), median(cpus), at_first, later])
            goals.append(
                f"{shape}: first reading under {START_GOAL_SECONDS:.0f} s "
                f"{report.goal(median(starts) < START_GOAL_SECONDS)}, "
                f"under {most:.0f} MB {report.goal(later < most)}"
            )
    head = (
        "shape", "start to first reading s", "slowest s", "CPU s of it",
        "RSS MB", f"RSS MB after {seconds:.0f} s of rounds each second",
    )  # fmt: skip
    yield report.table(head, rows)
    yield "Two targets, every probe, host probes too. " + "; ".join(goals) + ".\n"


def _start(ground: Ground, store: str) -> tuple[float, float]:
    """Seconds from starting the process to a reading on /metrics, and CPU seconds; a new store."""
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as folder:
        config = daemon.head("15s", "5s", store) + target_lines(ground.target)
        with daemon.running(Path(folder), config, watched=False) as agent:
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


def _weight(grounds: tuple[Ground, ...], store: str, seconds: float) -> tuple[float, float]:
    """RSS in MB after the first round and after many."""
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as folder:
        targets = (replace(each.target, name=each.target.engine) for each in grounds)
        lines = [target_lines(target) for target in targets]
        with daemon.running(
            Path(folder), daemon.head("1s", "1s", store) + "".join(lines), watched=False
        ) as agent:
            until("both up", lambda: agent.total("sigap_target_up") == len(grounds), 60)
            first = _rss(agent)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                agent.page()
                time.sleep(1.0)
            return first, _rss(agent)


def _rss(agent: Daemon) -> float:
    return agent.rss_bytes() / 1e6
