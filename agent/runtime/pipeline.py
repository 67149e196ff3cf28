"""The path of every reading: publish, derive, judge, export, suppress, add evidence, queue.

A reading is on /metrics before anything that could fail is tried with it. What is derived from it,
for its target or for what several targets share, takes the same steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from agent.metrics.readings import Latest, ServerFacts, usable
from agent.runtime.evidence import EvidenceStore, Report, Request
from agent.runtime.maintenance import Maintenance, On, Suppression
from agent.runtime.verdict_log import tell_up, tell_window
from probes import Evidence, Finding, Probe, Reading
from probes.fleet.fleet import Fleet
from probes.fleet.observation import Observation, observed
from probes.fleet.plan import Plan
from probes.judge import Assessment, Judge, Recalled
from probes.runner import Owner


class DeskQueue(Protocol):
    """Where findings wait for the desk; taking one never waits and never fails."""

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        """``wait_seconds``: how long it waits for more evidence before it is reported."""
        ...


@dataclass(frozen=True, slots=True)
class Handled:
    """What handling a reading asks of the scheduler."""

    in_doubt: bool
    """The probe runs sooner: the reading failed, or a measure is bad or not clear yet."""
    requests: tuple[Request, ...] = ()


@dataclass(slots=True)
class Remembered:
    """What is remembered of a target, or of what several share, between two readings."""

    judge: Judge = field(default_factory=Judge)
    suppression: Suppression = field(default_factory=Suppression)
    evidence: EvidenceStore = field(default_factory=EvidenceStore)
    turn: threading.Lock = field(default_factory=threading.Lock)
    window: On | None = None
    up: bool | None = None


class Pipeline:
    """Passes every reading to the desk's queue; each target is served by its own thread."""

    def __init__(
        self,
        readings: Latest,
        queue: DeskQueue,
        fleet: Fleet | None = None,
        keep: Callable[[str, Mapping[str, Any]], None] = lambda target, kept: None,
    ) -> None:
        """``keep(target, kept)`` stores what a target's probes want to survive the process."""
        self._readings = readings
        self._queue = queue
        self._fleet = fleet or Fleet()
        self._keep = keep
        self._maintenance = Maintenance()
        self._restored: dict[str, tuple[Recalled, ...]] = {}
        self._memories: dict[tuple[bool, str], Remembered] = {}  # by whether it is shared, and name

    def restore(self, standing: Mapping[str, tuple[Recalled, ...]]) -> None:
        """Restore what the desk has open, by target or what several share; before any reading."""
        self._restored = dict(standing)
        self._fleet.restore(standing)

    def watch(self, plans: Sequence[Plan], maintenance: Maintenance) -> None:
        """Monitor exactly these targets and windows from now on."""
        shared = self._fleet.watch([plan.target for plan in plans])
        for is_shared, name in list(self._memories):
            if is_shared and name not in shared:
                self._memories.pop((True, name), None)
                self._restored.pop(name, None)
        self._readings.keep_shared(shared)
        for plan in plans:
            self._readings.declare(plan)
        self._maintenance = maintenance

    def forget(self, target: str) -> None:
        """A target was removed from the configuration: drop its streaks and its evidence."""
        self._memories.pop((False, target), None)
        self._restored.pop(target, None)  # what was open at the start may be over when it is back
        self._fleet.forget(target)
        self._readings.forget(target)

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> Handled:
        """One reading, all the way to the desk's queue."""
        own = observed(plan, probe, reading)
        window = self._window(own)
        self._publish(own, owner)
        in_doubt, requests = False, list[Request]()
        for each in self._fleet.derive(own, owner.cost, announced=window is not None):
            with self._memory(each).turn:  # several threads bring readings of what targets share
                self._publish_derived(each)
                assessment, findings = self._judge(each)
                findings = self._suppress(each, findings, window)
                reports, asked = self._add_evidence(each, assessment, findings, owner)
                self._enqueue(each, reports)
            requests += asked
            in_doubt = in_doubt or (assessment.in_doubt and each.source is None)
        kept = owner.kept
        if probe.name in kept:
            self._keep(plan.target.name, kept)
        return Handled(in_doubt, tuple(requests))

    def answer(self, request: Request, taken: Evidence | None) -> None:
        """A replication partner has shown its side; None: it could not be asked."""
        memory = self._memories.get((False, request.target))
        for report in memory.evidence.answer(request.findings, taken) if memory else ():
            self._queue.put(report.finding, report.wait_seconds)

    def _window(self, own: Observation) -> On | None:
        """The maintenance window that is on for the target, shown when it begins and ends."""
        memory = self._memory(own)
        window = self._maintenance.over([own.target], own.reading.at)
        if window != memory.window:
            tell_window(own.target.name, memory.window, window)
            self._readings.window(own.plan, window.name if window else "")
            memory.window = window
        return window

    def _publish(self, own: Observation, owner: Owner) -> None:
        """The reading and its target's version and role, for /metrics and the pages."""
        role = self._fleet.role(own.plan)
        server = ServerFacts(owner.cost, owner.flavour, owner.version, role)
        self._readings.publish(own, server)
        if own.probe.judged_on_failure:
            memory, up = self._memory(own), usable(own.probe, own.reading)
            if up is not None and up != memory.up:
                tell_up(own.reading, up, before=memory.up)
                memory.up = up

    def _publish_derived(self, each: Observation) -> None:
        if each.source is not None:  # the others are published, before anything could fail
            self._readings.publish(each)

    def _judge(self, each: Observation) -> tuple[Assessment, list[Finding]]:
        """Export the verdicts; return those to report."""
        assessment = self._memory(each).judge.assess(each.target, each.probe, each.reading)
        self._readings.export(each, assessment.findings)
        if each.shared:
            self._fleet.judged(assessment.findings)
        findings, undecided = assessment.findings, assessment.undecided
        if undecided:
            findings = [one for one in findings if one.fingerprint not in undecided]
        if each.about:
            findings = [replace(one, about={**one.about, **each.about}) for one in findings]
        return assessment, findings

    def _suppress(
        self, each: Observation, findings: Iterable[Finding], window: On | None
    ) -> list[Finding]:
        """No incident opens while a maintenance window is on for the target or a member."""
        if each.shared:
            window = self._maintenance.over([each.target, *each.members], each.reading.at)
        return self._memory(each).suppression.apply(findings, window)

    def _add_evidence(
        self,
        each: Observation,
        assessment: Assessment,
        findings: Iterable[Finding],
        owner: Owner,
    ) -> tuple[list[Report], tuple[Request, ...]]:
        """What can be seen at the first bad reading; requests for the partner's side."""
        evidence = self._memory(each).evidence
        return evidence.add(each, assessment, findings, owner, self._fleet.partners)

    def _enqueue(self, each: Observation, reports: Iterable[Report]) -> None:
        """Into the queue for the desk; an outage waits for what others may show."""
        for report in reports:
            wait = report.wait_seconds
            if each.probe.judged_on_failure:
                wait = max(wait, self._fleet.patience(each, report.finding))
            self._queue.put(report.finding, wait)

    def _memory(self, each: Observation) -> Remembered:
        key = (each.shared, each.target.name)
        memory = self._memories.get(key)
        if memory is None:
            memory = Remembered()
            memory.judge.recall(each.target.name, self._restored.get(each.target.name, ()))
            memory = self._memories.setdefault(key, memory)
        return memory
