"""Why: what the agent says of itself, and the whole of /metrics in one text.

Promise: rendering reads memory only; a dead store or a frozen server never delays a scrape.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.metrics.text_format import Board, Family, line
from agent.runtime.reporter import Reporter
from agent.runtime.scheduler import Scheduler

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def sigap_version() -> str:
    """The installed version; ``0`` in a bare checkout that was never installed."""
    try:
        return version("sigap-db")
    except PackageNotFoundError:
        return "0"


SKIPPED = Family(
    "sigap_agent_rounds_skipped_total",
    "Probe runs skipped because the previous round took too long.",
    "counter",
)


class Gathered(Collector):
    """Families made afresh at each scrape by a function that reads memory."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        yield from self._collect()

    def describe(self) -> Iterator[Metric]:
        yield from ()  # registering must not collect: the daemon is not whole yet


class Metrics:
    """Everything /metrics shows."""

    def __init__(self, board: Board, monotonic: Callable[[], float]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it bare
        self._board = board
        self._monotonic = monotonic
        self._texts: list[Callable[[], str]] = []
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        info = Gauge(
            "sigap_build_info",
            "Version of Sigap and of the Python it runs on; always 1.",
            ["version", "python"],
            registry=self.registry,
        )
        info.labels(sigap_version(), platform.python_version()).set(1)
        self._reload_ok = Gauge(
            "sigap_config_last_reload_successful",
            "Whether the newest agent.yaml was applied (1) or was rejected (0).",
            registry=self.registry,
        )
        self._reload_at = Gauge(
            "sigap_config_last_reload_success_timestamp_seconds",
            "When a configuration was last applied.",
            registry=self.registry,
        )

    def reloaded(self, at: datetime | None) -> None:
        """A configuration was taken over at ``at``; None: the newest one was refused."""
        self._reload_ok.set(0 if at is None else 1)
        if at is not None:
            self._reload_at.set(at.timestamp())

    def add(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Have ``collect`` called at each scrape; it must only read memory."""
        self.registry.register(Gathered(collect))

    def add_text(self, write: Callable[[], str]) -> None:
        """Have ``write`` called at each scrape for whole families as text: for one sample a
        target the library's own types cost five times as much. It must only read memory."""
        self._texts.append(write)

    def page(self) -> list[bytes]:
        """The whole text in pieces, in Prometheus' text format 0.0.4."""
        written = (write().encode() for write in self._texts)
        return [*self._board.families(self._monotonic()), *written, generate_latest(self.registry)]


def skipped_rounds(scheduler: Scheduler) -> str:
    """How many runs each target missed."""
    lines = (
        line(SKIPPED.name, {"target": loop.plan.target.name}, float(loop.timetable.skipped))
        for loop in scheduler.loops
    )
    return SKIPPED.header + "".join(lines)


def of_scheduler(scheduler: Scheduler) -> Iterator[Metric]:
    """What the scheduler says of itself."""
    yield GaugeMetricFamily(
        "sigap_agent_stalled_loops",
        "Targets whose loop no longer advances.",
        value=len(scheduler.stalled()),
    )


def of_reporter(reporter: Reporter) -> Iterator[Metric]:
    """What the reporter says of itself and of the store."""
    counts = reporter.counts()
    yield GaugeMetricFamily(
        "sigap_store_up", "Whether the store accepted the last finding.", value=int(counts.store_up)
    )
    yield GaugeMetricFamily(
        "sigap_reporter_pending_findings",
        "Findings queued in memory for the desk.",
        value=counts.pending,
    )
    yield CounterMetricFamily(
        "sigap_reporter_findings", "Findings delivered to the desk.", value=counts.told
    )
    yield CounterMetricFamily(
        "sigap_reporter_failures",
        "Attempts to deliver a finding that failed.",
        value=counts.failed,
    )
