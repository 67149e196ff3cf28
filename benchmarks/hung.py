"""Benchmark with ten of fifty targets hung in six ways: lateness of the others, and leaks.

The healthy run comes first, in the same process, for comparison. At the end all ten are healed and
must recover.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import daemon, network, report
from benchmarks.daemon import Daemon, Round
from benchmarks.hanging import HEALTHY, HUNG, HUNG_EVERY, Kind, Kinds
from benchmarks.measure import cores, median, percentile, placed
from benchmarks.scraping import Scraping
from benchmarks.size import Size
from tests.support.wait import until

ABOUT = "50 targets, 10 of them hung in six ways: lateness of the others, and what piles up"
DEADLINE = "230ms"
SETTLE_SECONDS = 8.0  # until the first hung rounds are over and the back-off has begun
HEALED_WITHIN_SECONDS = 60.0
GOAL_ROUNDS = 2000  # that each kind hangs
MOST_SESSIONS = 2  # of one target: the kept one and the fresh login


@dataclass(frozen=True)
class State:
    """Resources of a process, and its state of the ten targets."""

    threads: int
    descriptors: int
    rss_mb: float
    sessions: int  # on the healthy servers, as they count them
    told: int  # of the hung targets: down, or their mount stuck


@dataclass(frozen=True)
class Healed:
    """One kind after its end."""

    title: str
    seconds: float | None  # until every target of it was well again; None: never
    sessions: int | None  # ours on its server, once well; None: not a server of its own


def run(size: Size) -> Iterator[str]:
    """A table each for lateness, scrapes, hung rounds, what is held, and the healing."""
    measured, around = cores()
    with ExitStack() as stack:
        if os.geteuid() == 0:
            stack.enter_context(network.own_network())
        stack.enter_context(placed(around))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sigap-bench-")))
        kinds = Kinds(stack, folder)
        for reason in kinds.missing:
            yield f"**NOT MEASURED: {reason}.** Silent servers stand in for it.\n"
        config = daemon.head(HUNG_EVERY, DEADLINE) + "".join(kinds.lines())
        with placed(measured):
            agent = stack.enter_context(daemon.running(folder, config))
        until("every server up", lambda: agent.total("sigap_target_up") == HEALTHY + HUNG, 60)
        time.sleep(SETTLE_SECONDS)
        before = _window(agent, kinds, size.of(10.0, 40.0, 40.0))
        kinds.hang()
        time.sleep(SETTLE_SECONDS)
        during = _window(agent, kinds, size.of(10.0, 120.0, 700.0))
        healed = _heal(agent, kinds)
        skipped = agent.total("sigap_agent_rounds_skipped_total", 'target="sehat')
        rounds = agent.stop()
    yield _lateness(before, during, rounds, skipped)
    yield _scrapes(before, during)
    yield _hung(kinds, during, rounds)
    yield _held(before, during)
    yield _healed(healed)


@dataclass(frozen=True)
class Window:
    """A stretch of the run."""

    since: float
    until: float
    scrapes: list[float]
    unanswered: int
    states: list[State]
    cpu_share: float

    def began(self, rounds: Sequence[Round]) -> list[Round]:
        """The rounds that began in this window."""
        return [each for each in rounds if self.since <= each.at < self.until]

    def lateness(self, rounds: Sequence[Round]) -> list[float]:
        """Milliseconds by which rounds of healthy targets began late."""
        healthy = (each for each in self.began(rounds) if each.target.startswith("sehat"))
        return [each.late * 1000 for each in healthy]


def _window(agent: Daemon, kinds: Kinds, seconds: float) -> Window:
    states = [_state(agent, kinds)]
    since, cpu = time.monotonic(), agent.cpu_seconds()
    with Scraping(agent.address, 0.25) as scraping:
        while time.monotonic() - since < seconds:
            time.sleep(min(10.0, seconds / 3))
            states.append(_state(agent, kinds))
    ended = time.monotonic()
    share = (agent.cpu_seconds() - cpu) / (ended - since)
    return Window(since, ended, scraping.seconds, scraping.unanswered, states, share)


def _state(agent: Daemon, kinds: Kinds) -> State:
    process = agent.process
    hung = (not _well(agent.page(), name, kind) for kind in kinds.all for name in kind.names)
    return State(
        process.num_threads(),
        process.num_fds(),
        agent.rss_bytes() / 1e6,
        kinds.sessions(),
        sum(hung),
    )


def _well(page: str, name: str, kind: Kind) -> bool:
    """Whether the agent calls a target of this kind well."""
    family = "sigap_volume_stuck{" if kind.mount else "sigap_target_up{"
    subject = f'volume="{kind.mount}"' if kind.mount else ""
    good = 0.0 if kind.mount else 1.0
    return any(
        line.startswith(family)
        and f'target="{name}"' in line
        and subject in line
        and float(line.rpartition(" ")[2]) == good
        for line in page.splitlines()
    )


def _heal(agent: Daemon, kinds: Kinds) -> list[Healed]:
    """Let every kind answer again, and measure how long until the agent reports it."""
    begun: dict[str, float] = {}
    for kind in kinds.all:
        kind.heal()
        begun[kind.title] = time.monotonic()
    took: dict[str, float] = {}
    end = time.monotonic() + HEALED_WITHIN_SECONDS
    while len(took) < len(kinds.all) and time.monotonic() < end:
        page, at = agent.page(), time.monotonic()
        for kind in kinds.all:
            if kind.title not in took and all(_well(page, name, kind) for name in kind.names):
                took[kind.title] = at - begun[kind.title]
        time.sleep(0.1)  # a scraper's pace; the agent is not to be kept busy by it
    return [Healed(each.title, took.get(each.title), _left(each)) for each in kinds.all]


def _left(kind: Kind) -> int | None:
    """Sessions of ours on the server of a kind, once it had time to see which were given up."""
    if kind.ground is None:
        return None
    end = time.monotonic() + HEALED_WITHIN_SECONDS
    while True:
        found = kind.ground.sessions()[0]
        if found <= MOST_SESSIONS * len(kind.targets) or time.monotonic() > end:
            return found
        time.sleep(0.5)


def _lateness(before: Window, during: Window, rounds: Sequence[Round], skipped: float) -> str:
    rows: list[list[report.Cell]] = []
    for name, window in (("none hung", before), ("10 of 50 hung", during)):
        late = window.lateness(rounds)
        rows.append(
            [
                name,
                len(late),
                len(window.began(rounds)) - len(late),
                median(late),
                percentile(late, 0.99),
                max(late),
                f"{window.cpu_share:.0%}",
            ]
        )
    head = (
        "state", "healthy rounds", "rounds of the ten", "late p50 ms", "late p99 ms", "latest ms",
        "agent CPU",
    )  # fmt: skip
    worst = percentile(during.lateness(rounds), 0.99)
    ratio = report.times(worst, percentile(before.lateness(rounds), 0.99))
    return (
        report.table(head, rows)
        + f"\nLateness p99 with ten hung: {ratio} of the healthy one. Goal, under 20 ms: "
        + f"{report.goal(worst < 20)}. Runs of healthy targets left out because the one before "
        + f"took too long: {skipped:.0f}.\n"
    )


def _scrapes(before: Window, during: Window) -> str:
    rows: list[list[report.Cell]] = []
    for name, window in (("none hung", before), ("10 of 50 hung", during)):
        taken = [each * 1000 for each in window.scrapes]
        rows.append(
            [
                name,
                len(taken),
                window.unanswered,
                median(taken),
                percentile(taken, 0.99),
                max(taken),
            ]
        )
    met = percentile(during.scrapes, 0.99) < 0.02 and not during.unanswered
    head = ("/metrics", "scrapes", "unanswered", "p50 ms", "p99 ms", "longest ms")
    return report.table(head, rows) + f"\nGoal, p99 under 20 ms: {report.goal(met)}.\n"


def _hung(kinds: Kinds, during: Window, rounds: Sequence[Round]) -> str:
    began = during.began(rounds)
    counts = {kind.title: sum(each.target in kind.names for each in began) for kind in kinds.all}
    rows: list[list[report.Cell]] = [
        [kind.title, len(kind.targets), counts[kind.title]] for kind in kinds.all
    ]
    rows += [[reason, 0, "**NOT MEASURED**"] for reason in kinds.missing]
    told = min(state.told for state in during.states)
    met = min(counts.values()) > GOAL_ROUNDS and not kinds.missing
    return (
        report.table(("hung", "targets", "hung rounds"), rows)
        + f"\nGoal, over {GOAL_ROUNDS:,} rounds of each kind: {report.goal(met)}. Told as down, or "
        + f"as a stuck mount, at every one of {len(during.states)} looks: {told} of {HUNG}.\n"
    )


def _held(before: Window, during: Window) -> str:
    rows: list[list[report.Cell]] = []
    for title, name in (
        ("threads", "threads"),
        ("descriptors", "descriptors"),
        ("sessions", "sessions"),
        ("RSS MB", "rss_mb"),
    ):
        seen = [getattr(state, name) for state in during.states]
        healthy = max(getattr(state, name) for state in before.states)
        rows.append([title, healthy, seen[0], seen[-1], max(seen)])
    minutes = (during.until - during.since) / 60
    head = ("held", "most, none hung", "ten hung, at first", f"{minutes:.1f} minutes later", "most")
    return report.table(head, rows)


def _healed(healed: Sequence[Healed]) -> str:
    rows: list[list[report.Cell]] = [
        [
            each.title,
            "**never**" if each.seconds is None else each.seconds,
            "not its own" if each.sessions is None else each.sessions,
        ]
        for each in healed
    ]
    return report.table(("healed", "seconds until well", "our sessions on its server"), rows)
