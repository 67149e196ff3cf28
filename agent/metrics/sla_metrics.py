"""Metrics of incidents and time standards, computed after each change and kept in memory.

A scrape does not read the store. Counters cover the whole ledger, so a restart does not reset them.
While the store is unavailable the last values stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from incidents.desk import Desk
from incidents.model import Decision, Incident, Outcome
from incidents.procedure.sla import ClockState, SlaClocks
from probes.words.finding_json import severity

HOUR = 3600.0
WORKING_BUCKETS = (900.0, 1800.0, HOUR, 2 * HOUR, 4 * HOUR, 7.5 * HOUR, 15 * HOUR, 22.5 * HOUR)
DISMISSED = "dismiss"
"""The verdict on a visit that ended as "not a disruption" or "duplicate"."""
ACKNOWLEDGE_BUCKETS = (60.0, 300.0, 900.0, 1800.0, HOUR, 4 * HOUR, 24 * HOUR)


@dataclass(slots=True)
class Spread:
    """How many values were at most as large as each bound, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    count: int = 0
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * len(self.bounds)

    def add(self, value: float) -> None:
        self.counts = [n + (value <= b) for n, b in zip(self.counts, self.bounds, strict=True)]
        self.count += 1
        self.total += value

    def __add__(self, other: Spread) -> Spread:
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return Spread(self.bounds, counts, self.count + other.count, self.total + other.total)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them."""
        named = [(repr(b), float(n)) for b, n in zip(self.bounds, self.counts, strict=True)]
        return [*named, ("+Inf", float(self.count))]


@dataclass(slots=True)
class Totals:
    """What incidents add to the counters."""

    opened: Counter[tuple[str, str]] = field(default_factory=Counter)  # source, family
    closed: Counter[str] = field(default_factory=Counter)  # outcome
    signed: Counter[tuple[str, str]] = field(default_factory=Counter)  # step, met|breached
    overall: Counter[str] = field(default_factory=Counter)  # met|breached
    visits: Counter[tuple[str, str]] = field(default_factory=Counter)  # step, verdict
    working: dict[str, Spread] = field(default_factory=dict)  # by step
    acknowledged: Spread = field(default_factory=lambda: Spread(ACKNOWLEDGE_BUCKETS))

    def add(self, incident: Incident, clocks: SlaClocks) -> None:
        """Count one incident in its present state."""
        self.opened[incident.source, incident.family or "other"] += 1
        first = incident.visits[0]
        seen_at = first.claimed_at or (first.signoff.at if first.signoff else None)
        if seen_at is not None:
            self.acknowledged.add(max(0.0, (seen_at - incident.opened_at).total_seconds()))
        dismissed = incident.outcome in (Outcome.NOT_A_DISRUPTION, Outcome.DUPLICATE)
        for visit, clock in zip(incident.visits, clocks.steps, strict=True):
            if visit.signoff is None:
                continue
            step = str(visit.step)
            self.signed[step, _result(clock.state)] += 1
            ended = dismissed and visit is incident.visits[-1]
            self.visits[step, DISMISSED if ended else visit.signoff.decision.value] += 1
            self.working.setdefault(step, Spread(WORKING_BUCKETS)).add(clock.used_seconds)
        if incident.outcome is not None:
            self.closed[incident.outcome.value] += 1
            if not dismissed:  # the overall standard is for a disruption seen through to its end
                self.overall[_result(clocks.overall.state)] += 1

    def __add__(self, other: Totals) -> Totals:
        none = Spread(WORKING_BUCKETS)
        steps = self.working.keys() | other.working.keys()
        return Totals(
            self.opened + other.opened,
            self.closed + other.closed,
            self.signed + other.signed,
            self.overall + other.overall,
            self.visits + other.visits,
            {s: self.working.get(s, none) + other.working.get(s, none) for s in steps},
            self.acknowledged + other.acknowledged,
        )


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """One open incident, with the values that metrics show."""

    step: int
    severity: str
    due_at: datetime | None
    step_late: bool
    overall_late: bool


@dataclass(frozen=True, slots=True)
class SlaSnapshot:
    """Everything a scrape needs."""

    totals: Totals
    standing: tuple[OpenIncident, ...]
    head: int
    numbers: dict[str, str]  # fingerprint -> number of the open incident it belongs to
    steps: tuple[str, ...]


class Figures:
    """Holds the snapshot; ``refresh`` is called by one thread."""

    def __init__(self, desk: Desk, steps: Sequence[int]) -> None:
        self._desk = desk
        self._steps = tuple(str(step) for step in steps)
        self._closed = Totals()
        self._counted = 0  # ledger position of the newest opening that was looked at
        self._open: set[str] = set()
        self._verified_at: datetime | None = None
        self._snapshot: SlaSnapshot | None = None

    def incident_of(self, fingerprint: str) -> str:
        """The number of the open incident a finding belongs to, or ``""``."""
        return self._snapshot.numbers.get(fingerprint, "") if self._snapshot else ""

    def verified(self, at: datetime) -> None:
        """The ledger was verified and is intact."""
        self._verified_at = at

    def refresh(self, now: datetime) -> None:
        """Compute what changed since the last time. Raises ``StoreUnavailable``."""
        read = self._desk.queries
        with read.snapshot() as seen:
            head = seen.ledger_head().sequence
            still_open = [
                (incident, seen.clocks(incident.number, now)) for incident in seen.open_incidents()
            ]
        numbers = {incident.number for incident, _ in still_open}
        for number in self._newly_closed(numbers):
            with read.snapshot() as seen:
                incident = seen.incident(number)
                if not incident.open:
                    self._closed.add(incident, seen.clocks(number, now))
        self._open = numbers
        current = Totals()
        standing = []
        fingerprints: dict[str, str] = {}
        for incident, clocks in still_open:
            current.add(incident, clocks)
            standing.append(_standing(incident, clocks))
            fingerprints |= {trouble.fingerprint: incident.number for trouble in incident.troubles}
        self._snapshot = SlaSnapshot(
            self._closed + current, tuple(standing), head, fingerprints, self._steps
        )

    def _newly_closed(self, still_open: set[str]) -> list[str]:
        """Incidents that closed since: those that were open, and those never seen open."""
        closed = sorted(self._open - still_open)
        newest, after = self._counted, None
        while True:
            page = self._desk.queries.search("all", after=after, limit=500)
            for row in page.rows:
                newest = max(newest, row.position)
                if row.position > self._counted and row.number not in still_open | self._open:
                    closed.append(row.number)
            oldest = page.rows[-1].position if page.rows else 0
            if page.after is None or oldest <= self._counted:
                break
            after = page.after
        self._counted = newest
        return closed

    def collect(self) -> Iterator[Metric]:
        """The metric families, from memory; none before the first computation."""
        if self._verified_at is not None:
            yield GaugeMetricFamily(
                "sigap_ledger_verified_timestamp_seconds",
                "When the whole ledger was last verified successfully.",
                value=self._verified_at.timestamp(),
            )
        if self._snapshot is not None:
            yield from _counters(self._snapshot)
            yield from _gauges(self._snapshot)
            yield from _histograms(self._snapshot)


def _result(state: ClockState) -> str:
    return "breached" if state is ClockState.BREACHED else "met"


def _standing(incident: Incident, clocks: SlaClocks) -> OpenIncident:
    current = clocks.current
    return OpenIncident(
        incident.step,
        severity(incident.severity),
        current.due_at if current else None,
        current is not None and current.state is ClockState.BREACHED,
        clocks.overall.state is ClockState.BREACHED,
    )


def _counters(snapshot: SlaSnapshot) -> Iterator[Metric]:
    totals = snapshot.totals
    yield _counter(
        "sigap_incidents_opened",
        "Incidents opened, by source and family of the finding.",
        ("source", "family"),
        totals.opened.items(),
    )
    outcomes = {(outcome.value,): 0 for outcome in Outcome}
    yield _counter(
        "sigap_incidents_closed",
        "Incidents closed, by outcome.",
        ("outcome",),
        (outcomes | {(key,): count for key, count in totals.closed.items()}).items(),
    )
    results = {(step, r): 0 for step in snapshot.steps for r in ("met", "breached")}
    yield _counter(
        "sigap_sla_step_signed",
        "Steps signed, by whether their time standard was met.",
        ("step", "result"),
        (results | dict(totals.signed)).items(),
    )
    overall = {(result,): totals.overall[result] for result in ("met", "breached")}
    yield _counter(
        "sigap_sla_overall_closed",
        "Incidents resolved, by whether the overall time standard was met.",
        ("result",),
        overall.items(),
    )
    verdicts = {(step, d.value): 0 for step in snapshot.steps for d in Decision}
    yield _counter(
        "sigap_step_visits",
        "Visits to a step that ended, by the verdict: approve, return or dismiss.",
        ("step", "verdict"),
        (verdicts | dict(totals.visits)).items(),
    )


def _gauges(snapshot: SlaSnapshot) -> Iterator[Metric]:
    standing = Counter((str(each.step), each.severity) for each in snapshot.standing)
    zeros = {(step, s): 0 for step in snapshot.steps for s in ("warning", "critical")}
    yield _gauge(
        "sigap_incidents_open",
        "Open incidents, by the step that waits and the worst severity they had.",
        ("step", "severity"),
        (zeros | dict(standing)).items(),
    )
    due: dict[tuple[str, ...], float] = {}
    late = {(step,): 0.0 for step in (*snapshot.steps, "overall")}
    for each in snapshot.standing:
        step = (str(each.step),)
        if each.due_at is not None:
            due[step] = min(due.get(step, float("inf")), each.due_at.timestamp())
        late[step] = late.get(step, 0.0) + each.step_late
        late["overall",] += each.overall_late
    yield _gauge(
        "sigap_sla_next_due_timestamp_seconds",
        "When the most urgent open incident at this step passes its time standard.",
        ("step",),
        due.items(),
    )
    yield _gauge(
        "sigap_sla_open_breaches",
        "Open incidents past the time standard of their step, or (overall) of the whole.",
        ("step",),
        late.items(),
    )
    yield GaugeMetricFamily(
        "sigap_ledger_head_sequence", "Events in the ledger.", value=snapshot.head
    )


def _histograms(snapshot: SlaSnapshot) -> Iterator[Metric]:
    working = HistogramMetricFamily(
        "sigap_sla_step_working_seconds",
        "Working time a signed visit to a step took.",
        labels=["step"],
    )
    for step, taken in sorted(snapshot.totals.working.items()):
        working.add_metric([step], taken.buckets, taken.total)
    yield working
    acknowledged = HistogramMetricFamily(
        "sigap_time_to_acknowledge_seconds",
        "Time from opening until somebody claimed or signed the first step.",
    )
    spread = snapshot.totals.acknowledged
    acknowledged.add_metric([], spread.buckets, spread.total)
    yield acknowledged


def _counter(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in sorted(values):
        family.add_metric(list(key), value)
    return family


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values):
        family.add_metric(list(key), value)
    return family
