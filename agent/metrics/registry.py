"""The whole of /metrics in one text, rendered from memory only.

A dead store or a frozen server never delays a scrape.
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
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from agent.metrics.text_format import Board

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def sigap_version() -> str:
    """The installed version; ``0`` in a bare checkout that was never installed."""
    try:
        return version("sigap-db")
    except PackageNotFoundError:
        return "0"


class Gathered(Collector):
    """Metric families computed at each scrape by a function that reads memory."""

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
        """A configuration was applied at ``at``; None: the newest one was rejected."""
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
