"""Ten of fifty targets hang, each in its way: does anybody else notice, and does anything pile up?

The healthy run first, in the same process: what matters is how much it changes.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import daemon, grounds, network, report
from benchmarks.daemon import Daemon, Round
from benchmarks.grounds import Ground
from benchmarks.measure import cores, median, percentile, placed
from benchmarks.scraping import Scraping
from benchmarks.size import Size
from probes import Address, Target
from tests.support.agent import target_lines
from tests.support.wait import until

ABOUT = "50 targets, 10 of them hung: lateness of the others, and what piles up"
ENGINES = ("postgresql", "mysql")
HEALTHY = 40
EVERY = "1s"
DEADLINE = "500ms"
SETTLE_SECONDS = 8.0  # until the first hung rounds are over and the back-off has begun
_SETTINGS = {"max_connections": "150"}


@dataclass(frozen=True)
class State:
    """What a process holds."""

    threads: int
    descriptors: int
    rss_mb: float
    sessions: int  # on the healthy servers, as they count them


def run(size: Size) -> Iterator[str]:
    """One table for lateness and scrapes, one for what is held."""
    measured, around = cores()
    with ExitStack() as stack:
        black_hole = os.geteuid() == 0
        if black_hole:
            stack.enter_context(network.own_network())
        else:
            yield "**No black hole: a network of its own needs root.** Silent servers stand in.\n"
        stack.enter_context(placed(around))
        kinds = _Kinds(stack, black_hole)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sigap-bench-")))
        config = daemon.head(EVERY, DEADLINE) + "".join(_lines(kinds.targets()))
        with placed(measured):
            agent = stack.enter_context(daemon.running(folder, config))
        up = HEALTHY + kinds.answering
        until("every server up", lambda: agent.total("sigap_target_up") == up, 60)
        time.sleep(SETTLE_SECONDS)
        seconds = size.of(10.0, 52.0, 52.0)
        before = _window(agent, kinds, seconds)
        kinds.hang()
        time.sleep(SETTLE_SECONDS)
        during = _window(agent, kinds, size.of(10.0, 120.0, 420.0))
        skipped = agent.total("sigap_agent_rounds_skipped_total", 'target="sehat')
        rounds = agent.stop()
    yield _lateness(before, during, rounds, skipped)
    yield _held(during)


class _Kinds:
    """The servers, and the ways ten targets hang."""

    def __init__(self, stack: ExitStack, black_hole: bool) -> None:
        open_pg = [grounds.postgres(_SETTINGS, tables=False) for _ in range(2 + black_hole)]
        self.healthy: list[Ground] = [stack.enter_context(open_pg[0])]
        self.healthy.append(stack.enter_context(grounds.maria(tables=False)))
        self.frozen = [stack.enter_context(open_pg[1])]
        self.frozen.append(stack.enter_context(grounds.maria(tables=False)))
        self.swallowed = stack.enter_context(open_pg[2]) if black_hole else None
        self.silent = network.Silent()
        stack.callback(self.silent.close)
        self.answering = 8 if black_hole else 6

    def targets(self) -> list[Target]:
        """Forty healthy ones over two servers, then ten that will hang."""
        found = [
            replace(self.healthy[number % 2].target, name=f"sehat{number:02}")
            for number in range(HEALTHY)
        ]
        for ground in self.frozen:
            found += [replace(ground.target, name=f"beku-{ground.target.engine}{n}") for n in "123"]
        if self.swallowed is not None:
            found += [replace(self.swallowed.target, name=f"lubang{n}") for n in "12"]
        for number in range(10 - (len(found) - HEALTHY)):
            address = replace(self.healthy[0].target.address, port=self.silent.port)
            found.append(Target(f"bisu{number}", ENGINES[number % 2], _plain(address)))
        return found

    def hang(self) -> None:
        """From here on ten targets say nothing."""
        for ground in self.frozen:
            ground.server.freeze()
        if self.swallowed is not None:
            network.swallow(self.swallowed.target.address.port)

    def sessions(self) -> int:
        return sum(ground.sessions()[0] for ground in self.healthy)


def _plain(address: Address) -> Address:
    return replace(address, options={})


def _lines(targets: Sequence[Target]) -> list[str]:
    """Every target asks the four questions each second, and nothing of the host."""
    four = {engine: daemon.only(engine, daemon.FOUR, EVERY) for engine in ENGINES}
    return [target_lines(each, local="false", probes=four[each.engine]) for each in targets]


@dataclass(frozen=True)
class Window:
    """A stretch of the run."""

    since: float
    until: float
    scrapes: list[float]
    unanswered: int
    states: list[State]
    cpu_share: float

    def lateness(self, rounds: Sequence[Round], healthy: bool) -> list[float]:
        """Milliseconds late, of rounds that began in this window."""
        return [
            each.late * 1000
            for each in rounds
            if self.since <= each.at < self.until and each.target.startswith("sehat") == healthy
        ]


def _window(agent: Daemon, kinds: _Kinds, seconds: float) -> Window:
    states = [_state(agent, kinds)]
    since, cpu = time.monotonic(), agent.cpu_seconds()
    with Scraping(agent.address, 0.25) as scraping:
        while time.monotonic() - since < seconds:
            time.sleep(min(10.0, seconds / 3))
            states.append(_state(agent, kinds))
    ended = time.monotonic()
    share = (agent.cpu_seconds() - cpu) / (ended - since)
    return Window(since, ended, scraping.seconds, scraping.unanswered, states, share)


def _state(agent: Daemon, kinds: _Kinds) -> State:
    process = agent.process
    return State(
        process.num_threads(), process.num_fds(), agent.rss_bytes() / 1e6, kinds.sessions()
    )


def _lateness(before: Window, during: Window, rounds: Sequence[Round], skipped: float) -> str:
    rows: list[list[report.Cell]] = []
    for name, window in (("none hung", before), ("10 of 50 hung", during)):
        late = window.lateness(rounds, healthy=True)
        scrapes = [each * 1000 for each in window.scrapes]
        rows.append(
            [
                name,
                len(late),
                len(window.lateness(rounds, healthy=False)),
                median(late),
                percentile(late, 0.99),
                max(late),
                percentile(scrapes, 0.99) if not window.unanswered else "unanswered",
                f"{window.cpu_share:.0%}",
            ]
        )
    head = (
        "state", "healthy rounds", "rounds of the ten", "late p50 ms", "late p99 ms",
        "latest ms", "/metrics p99 ms", "agent CPU",
    )  # fmt: skip
    late = during.lateness(rounds, healthy=True)
    ratio = report.times(
        percentile(late, 0.99), percentile(before.lateness(rounds, healthy=True), 0.99)
    )
    met = percentile(late, 0.99) < 20
    scraped = percentile(during.scrapes, 0.99) < 0.02 and not during.unanswered
    return (
        report.table(head, rows)
        + f"\nLateness p99 with ten hung: {ratio} of the healthy one. Goal, under 20 ms: "
        + f"{report.goal(met)}; `/metrics` p99 under 20 ms: {report.goal(scraped)}. "
        + f"Runs of healthy targets left out because the one before took too long: {skipped:.0f}.\n"
    )


def _held(during: Window) -> str:
    first, last = during.states[0], during.states[-1]
    rows: list[list[report.Cell]] = [
        ["threads", first.threads, last.threads, max(s.threads for s in during.states)],
        ["descriptors", first.descriptors, last.descriptors, _most(during.states)],
        ["sessions", first.sessions, last.sessions, max(s.sessions for s in during.states)],
        ["RSS MB", first.rss_mb, last.rss_mb, max(s.rss_mb for s in during.states)],
    ]
    minutes = (during.until - during.since) / 60
    head = ("held with ten hung", "at first", f"{minutes:.1f} minutes later", "most")
    return report.table(head, rows)


def _most(states: Sequence[State]) -> int:
    return max(state.descriptors for state in states)
