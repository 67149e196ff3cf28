"""Benchmark of reporting a thousand healthy servers at every reading."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.runtime.reporter import Reporter
from benchmarks import report
from benchmarks.size import Size
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Reported
from incidents.procedure import load as procedure
from incidents.store import StoreUnavailable, open_store
from probes import Finding, Severity, Text

ABOUT = "findings stated a second, and how few of them reach the store"
TARGETS = 1000
MEASURES = 40
INTERVAL_SECONDS = 15
CORE_SHARE = 0.25


class Counted:
    """The desk, and how often it was asked."""

    def __init__(self, desk: Desk) -> None:
        self.calls = 0
        self._desk = desk

    def report(self, finding: Finding, now: datetime) -> Reported:
        self.calls += 1
        return self._desk.report(finding, now)

    def awaited(self) -> frozenset[str]:
        self.calls += 1
        return self._desk.awaited()


def run(size: Size) -> Iterator[str]:
    """One table: all healthy, and with one target in a hundred with an open finding."""
    rounds = size.of(1, 4, 20)
    rows: list[list[report.Cell]] = []
    met = True
    for shape, troubled in (("all healthy", 0), ("1 % in trouble", TARGETS // 100)):
        stated, seconds, calls = _stated(rounds, troubled)
        share = seconds / (rounds * INTERVAL_SECONDS)
        met = met and share < CORE_SHARE
        rows.append([shape, stated, calls, stated / seconds, share * 100])
    head = ("servers", "findings stated", "calls to the desk", "findings/s", "% of a core at 15 s")
    yield report.table(head, rows)
    yield (
        f"{TARGETS} targets with {MEASURES} findings each, SQLite store; under "
        f"{CORE_SHARE:.0%} of a core: {report.goal(met)}.\n"
    )


def _stated(rounds: int, troubled: int) -> tuple[int, float, int]:
    """Findings stated, CPU seconds of the process for them, and calls to the desk."""
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'sigap.db'}")
        desk = Counted(Desk(store, procedure.load("kaltim"), calendar.load("kaltim")))
        reporter = Reporter(desk, lambda: datetime.now(UTC), time.monotonic, (StoreUnavailable,))
        reporter.start()
        findings = [_finding(n, m, n < troubled) for n in range(TARGETS) for m in range(MEASURES)]
        for finding in findings:  # the first round opens what is to be opened
            reporter.put(finding)
        _settle(reporter)
        desk.calls = 0
        started = time.process_time()
        for turn in range(1, rounds + 1):
            at = findings[0].at + timedelta(seconds=turn * INTERVAL_SECONDS)
            for finding in findings:
                reporter.put(replace(finding, at=at))
            _settle(reporter)
        seconds = time.process_time() - started
        reporter.stop(10)
        store.close()
    return rounds * len(findings), seconds, desk.calls


def _settle(reporter: Reporter) -> None:
    while reporter.counts().pending:
        time.sleep(0.005)


def _finding(target: int, measure: int, bad: bool) -> Finding:
    bad = bad and measure == 0
    name = f"server-{target:04}"
    at = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
    return Finding(
        target=name,
        probe="availability",
        measure=f"measure_{measure}",
        subject="",
        severity=Severity.CRITICAL if bad else Severity.CLEAR,
        title=Text("{name} is down", name=name),
        hint=Text(""),
        family="availability",
        at=at,
        since=at,
        opens=bad,
    )
