"""Benchmark of Sigap's probes against Debian's exporters, on the same servers, in alternating
rounds.

They do not do the same: the exporters emit every counter they find and leave judging to Prometheus;
Sigap queries what its verdicts need (blocking, slots, failing logins) and logs in again every
minute, which no exporter does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import daemon, exporters, grounds, report
from benchmarks.exporters import Exporter
from benchmarks.grounds import Ground
from benchmarks.measure import cores, median, percentile, placed, series, tree_cpu_seconds
from benchmarks.scraping import Scraper
from benchmarks.size import Size
from tests.support.agent import environment, target_lines
from tests.support.wait import until

ABOUT = "a round of Sigap beside a scrape of the exporters Debian packages"
INTERVAL = 15.0  # seconds between two rounds, of Sigap as of Prometheus
CAP_SECONDS = 10.0  # how long a frozen scrape is waited for
FROZEN_GOAL_MS = 20.0


def run(size: Size) -> Iterator[str]:
    """One table an engine for the cost of a round, then one for scrapes."""
    measured, around = cores()
    scrapes: list[list[report.Cell]] = []
    for open_ground in (grounds.postgres, grounds.maria):
        # The server, the exporter and our probes share one core; the benchmark keeps to another.
        with placed(measured), open_ground() as ground, placed(around):
            yield _cost(ground, size, measured)
            scrapes += _scrapes(ground, size, measured)
    head = (
        "scrape of /metrics", "healthy p50 ms", "healthy p99 ms", "frozen p99 ms",
        "frozen, longest ms", "says down after s", "series", "RSS MB",
    )  # fmt: skip
    ours = [row[3] for row in scrapes[::2]]
    met = all(isinstance(each, float) and each < FROZEN_GOAL_MS for each in ours)
    yield (
        report.table(head, scrapes)
        + f"\nGoal, a frozen server's scrape answered within {FROZEN_GOAL_MS:.0f} ms (p99): "
        f"{report.goal(met)}.\n"
    )


@dataclass
class Side:
    """One peer, and what its rounds cost."""

    name: str
    rounds: Callable[[int], float]  # take so many; returns the agent's CPU seconds
    server_ms: list[float] = field(default_factory=list)
    agent_ms: list[float] = field(default_factory=list)
    sessions: int = 0
    series: int = 0

    def take(self, ground: Ground, count: int) -> None:
        before = tree_cpu_seconds(ground.pid)
        used = self.rounds(count)
        self.agent_ms.append(used / count * 1000)
        self.server_ms.append((tree_cpu_seconds(ground.pid) - before) / count * 1000)


def _cost(ground: Ground, size: Size, measured: set[int]) -> str:
    turns, each = size.of((2, 5), (10, 20), (30, 20))
    with (
        placed(measured),
        exporters.running(ground.exporter, ground.variables) as exporter,
        _stepping(ground) as step,
        placed(cores()[1]),
    ):
        ours = Side("Sigap, as scheduled", lambda count: step(count, INTERVAL))
        whole = Side("Sigap, every probe at once", lambda count: step(count, 0.0))
        theirs = Side(exporter.name, lambda count: _scraped(exporter, count))
        sides = (ours, whole, theirs)
        for side in sides:  # the first round logs in, and everybody's cache is cold
            side.rounds(2)
        for turn in range(turns):
            for side in sides if turn % 2 else reversed(sides):
                side.take(ground, each)
        _count_sessions(ground, sides)
        ours.series = whole.series = int(step.said["series"])
        theirs.series = series(_page(exporter.address))
        facts = step.said
        dearest = _dearest(ground, step, size.of(5, 40, 100))
    rows: list[list[report.Cell]] = [
        [
            side.name,
            median(side.server_ms),
            _ratio(side.server_ms, theirs.server_ms),
            median(side.agent_ms),
            _ratio(side.agent_ms, theirs.agent_ms),
            side.sessions,
            side.series,
        ]
        for side in sides
    ]
    head = (
        f"{ground.title}, one round", "server CPU ms", "ratio", "agent CPU ms", "ratio",
        "sessions", "series",
    )  # fmt: skip
    failures = facts["failures"]
    met = median(ours.server_ms) < median(theirs.server_ms)
    return (
        report.table(head, rows)
        + f"\nMedian of {turns} alternating turns of {each} rounds. "
        + f"Goal, server CPU below the exporter's: {report.goal(met)}; "
        + f"at most 3 sessions: {report.goal(ours.sessions <= 3)}.\n"
        + f"\n{dearest}"
        + (f"\nReadings that failed: {failures}.\n" if failures else "")
    )


def _dearest(ground: Ground, step: Stepper, count: int) -> str:
    """The probes that cost the server most, spread over the rounds between two of their runs."""
    rows: list[tuple[float, list[report.Cell]]] = []
    for name, period in step.said["periods"].items():
        before = tree_cpu_seconds(ground.pid)
        agent = step.obeyed([name] * count) / count * 1000
        server = (tree_cpu_seconds(ground.pid) - before) / count * 1000
        share = INTERVAL / period
        rows.append((server * share, [name, period, server, agent, server * share, agent * share]))
    rows.sort(key=lambda row: row[0], reverse=True)
    head = (
        f"{ground.title}, dearest probes", "every s", "server CPU ms", "agent CPU ms",
        "server CPU ms per 15 s", "agent CPU ms per 15 s",
    )  # fmt: skip
    return report.table(head, [row for _, row in rows[:5]])


def _ratio(ours: list[float], theirs: list[float]) -> str:
    """Of each turn to the same turn of the exporter: what disturbs one disturbs the other."""
    return report.times(median([a / b for a, b in zip(ours, theirs, strict=True) if b]), 1.0)


class Stepper:
    """The child that takes Sigap's rounds."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self.said: dict[str, Any] = {}

    def __call__(self, count: int, seconds: float) -> float:
        """Take rounds; CPU seconds of the child."""
        return self.obeyed([str(seconds * count)] if seconds else ["0"] * count)

    def obeyed(self, orders: Sequence[str]) -> float:
        """Give orders (``benchmarks.stepping``); CPU seconds of the child."""
        used = 0.0
        for order in orders:
            assert self._popen.stdin is not None
            assert self._popen.stdout is not None
            self._popen.stdin.write(order + "\n")
            self._popen.stdin.flush()
            line = self._popen.stdout.readline()
            if not line:
                raise RuntimeError("the process that takes Sigap's rounds ended; see its error")
            self.said = json.loads(line)
            used += float(self.said["cpu"])
        return used


@contextmanager
def _stepping(ground: Ground) -> Iterator[Stepper]:
    address = ground.target.address
    assert address.password is not None
    spec = {
        "engine": ground.target.engine,
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "database": address.database,
        "password": address.password.reveal(),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stepping", json.dumps(spec)],
        cwd=Path(__file__).parent.parent,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as popen:
        yield Stepper(popen)
        assert popen.stdin is not None
        popen.stdin.close()


def _scraped(exporter: Exporter, count: int) -> float:
    before = exporter.cpu_seconds()
    scraper = Scraper(exporter.address)
    for _ in range(count):
        if scraper.scrape() is None:
            raise RuntimeError(f"{exporter.name} gave no answer although its server is healthy")
    scraper.close()
    return exporter.cpu_seconds() - before


def _page(address: str) -> bytes:
    scraper = Scraper(address)
    scraper.scrape()
    scraper.close()
    return scraper.page


def _count_sessions(ground: Ground, sides: tuple[Side, ...]) -> None:
    """The most sessions each holds at once while it works, as the server counts them."""
    for side in sides:
        most = [0, 0]
        ended = threading.Event()

        def look(most: list[int] = most, ended: threading.Event = ended) -> None:
            while not ended.is_set():
                most[:] = [max(pair) for pair in zip(most, ground.sessions(), strict=True)]

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        side.rounds(10)
        ended.set()
        looking.join()
        side.sessions = most[0] if side.name.startswith("Sigap") else most[1]


def _scrapes(ground: Ground, size: Size, measured: set[int]) -> list[list[report.Cell]]:
    """Both /metrics, healthy and with the server frozen."""
    count = size.of(20, 200, 1000)
    rows: list[list[report.Cell]] = []
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as folder:
        config = daemon.head("1s", "1s") + target_lines(ground.target, local="false")
        with (
            placed(measured),
            daemon.running(Path(folder), config, watched=False) as agent,
            exporters.running(ground.exporter, ground.variables) as exporter,
            placed(cores()[1]),
        ):
            until("the server up", lambda: agent.total("sigap_target_up") == 1)
            peers: tuple[daemon.Daemon | Exporter, ...] = (agent, exporter)
            healthy = {each.address: [0.0] * 0 for each in peers}
            for address, taken in list(healthy.items()) * (count // 20):
                taken += _healthy(address, 20)
            frozen = _frozen(ground, agent, exporter)
            for name, peer, found in zip(("Sigap", exporter.name), peers, frozen, strict=True):
                taken = [each * 1000 for each in healthy[peer.address]]
                page, rss = series(_page(peer.address)), peer.process.memory_info().rss / 1e6
                title = f"{name}, {ground.title}"
                rows.append([title, median(taken), percentile(taken, 0.99), *found, page, rss])
    return rows


def _healthy(address: str, count: int) -> list[float]:
    scraper = Scraper(address)
    taken = [scraper.scrape() for _ in range(count)]
    scraper.close()
    if None in taken:
        raise RuntimeError(f"{address} gave no answer although its server is healthy")
    return [each for each in taken if each is not None]


def _frozen(
    ground: Ground, agent: daemon.Daemon, exporter: Exporter
) -> tuple[list[report.Cell], list[report.Cell]]:
    """Sigap and the exporter: p99 and longest scrape in ms, and seconds until the page shows the
    server down.
    """
    none = f"none in {CAP_SECONDS:.0f} s"
    ground.server.freeze()
    since = time.monotonic()
    try:
        ours: list[float] = []
        down: report.Cell = "never"
        scraper = Scraper(agent.address, CAP_SECONDS)
        while time.monotonic() - since < CAP_SECONDS:
            taken = scraper.scrape()
            if taken is None:
                return [none, none, down], ["not measured"] * 3
            ours.append(taken * 1000)
            if down == "never" and _says_down(scraper.page):
                down = time.monotonic() - since
            time.sleep(0.02)
        scraper.close()
        theirs = Scraper(exporter.address, CAP_SECONDS).scrape()
    finally:
        ground.server.thaw()
    said = none if theirs is None else theirs * 1000
    return [percentile(ours, 0.99), max(ours), down], [said, said, "never"]


def _says_down(page: bytes) -> bool:
    lines = [line for line in page.splitlines() if line.startswith(b"sigap_target_up{")]
    return bool(lines) and lines[0].endswith(b" 0.0")
