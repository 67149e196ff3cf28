"""Metrics of the scheduler and the reporter."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from agent.metrics.text_format import Family, line
from agent.runtime.reporter import Reporter
from agent.runtime.scheduler import Scheduler

SKIPPED = Family(
    "sigap_agent_rounds_skipped_total",
    "Probe runs skipped because the previous round took too long.",
    "counter",
)


def skipped_rounds(scheduler: Scheduler) -> str:
    """How many runs each target missed."""
    lines = (
        line(SKIPPED.name, {"target": loop.plan.target.name}, float(loop.timetable.skipped))
        for loop in scheduler.loops
    )
    return SKIPPED.header + "".join(lines)


def of_scheduler(scheduler: Scheduler) -> Iterator[Metric]:
    """Metrics of the scheduler."""
    yield GaugeMetricFamily(
        "sigap_agent_stalled_loops",
        "Targets whose loop no longer advances.",
        value=len(scheduler.stalled()),
    )


def of_reporter(reporter: Reporter) -> Iterator[Metric]:
    """Metrics of the reporter and the store."""
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
