"""Why: the whole product on one screen: measure, publish, judge, respond.

Promise: a reading is on /metrics before anything that could fail is tried with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from agent.metrics.readings import Latest, usable
from agent.runtime import evidence as pairing
from agent.runtime.evidence import Frozen
from agent.runtime.maintenance import Maintenance, On
from agent.runtime.scheduler import Errand
from agent.state.member_file import Notebook
from probes import Evidence, Finding, Fingerprint, Probe, Reading, Severity, Target, Text
from probes.fleet import cluster_roles, reachability
from probes.fleet import self_cost as budget
from probes.fleet.cluster_roles import Clusters
from probes.fleet.membership import Membership, role_of
from probes.fleet.reachability import Reach
from probes.judge import Assessment, Judge, Recalled
from probes.plan import Plan
from probes.runner import Owner

log = logging.getLogger("sigap.pipeline")


class Mailbox(Protocol):
    """Where findings go; taking one never waits and never fails."""

    def put(self, finding: Finding) -> None: ...


@dataclass(slots=True)
class Memory:
    """What is remembered of one target between two readings."""

    membership: Membership
    judge: Judge = field(default_factory=Judge)
    frozen: Frozen = field(default_factory=Frozen)
    budget: budget.Budget = field(default_factory=budget.Budget)
    held: dict[Fingerprint, str] = field(default_factory=dict)  # the window that held it
    on: On | None = None
    up: bool | None = None


class Pipeline:
    """Hands every reading on; each target is served by its own thread."""

    def __init__(
        self,
        latest: Latest,
        mailbox: Mailbox,
        *,
        notebook: Notebook | None = None,
        together: Clusters | None = None,
        shared: Reach | None = None,
        ask: Callable[[str, Errand], bool] = lambda target, errand: False,
        hold: Callable[[Fingerprint, float], None] = lambda fingerprint, seconds: None,
    ) -> None:
        """``ask(target, errand)`` has the thread of another target do something between its rounds
        and says whether it will; ``hold(fingerprint, seconds)`` keeps a report waiting."""
        self.maintenance = Maintenance()
        self._recalled: Mapping[str, tuple[Recalled, ...]] = {}
        self._latest = latest
        self._mailbox = mailbox
        self._notebook = notebook or Notebook(None)
        self._clusters = together or Clusters()
        self._reach = shared or Reach()
        self._ask = ask
        self._hold = hold
        self._memories: dict[str, Memory] = {}

    def recall(self, standing: Mapping[str, tuple[Recalled, ...]]) -> None:
        """What stood at the desk before this start, by target or cluster; before any reading."""
        self._recalled = standing
        for name, troubles in standing.items():
            if any(each.probe == cluster_roles.PROBE.name for each in troubles):
                self._clusters.recall(name, troubles)
            if any(each.probe == reachability.PROBE.name for each in troubles):
                self._reach.recall(name, troubles)

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> bool:
        """One reading, all the way to the desk's mailbox; whether it leaves its probe in doubt."""
        memory = self._memory(plan)
        self._tell_window(memory, plan, reading)
        memory.budget.asked(probe, reading)
        if probe.judged_on_failure:
            self._look_around(memory, plan, reading)
        self._clusters.note_timeline(plan.target, reading)
        in_doubt = self._take(memory, plan, probe, reading, probe, owner)
        _tell_change(memory, probe, reading)
        for derived, answer in memory.membership.derive(
            plan.target, plan.probes, probe, reading, calm=memory.on is None
        ):
            self._take(memory, plan, derived, answer, probe, owner)
        if probe.judged_on_failure:
            self._look_at_cost(memory, plan, reading, owner)
            self._look_at_cluster(memory, plan, reading)
        return in_doubt

    def forget(self, target: str) -> None:
        """A target left the configuration: its streaks and its evidence go too."""
        self._memories.pop(target, None)

    def _memory(self, plan: Plan) -> Memory:
        name = plan.target.name
        memory = self._memories.get(name)
        if memory is None:
            learn_after = timedelta(seconds=plan.learn_after)
            memory = Memory(Membership(name, self._notebook, learn_after))
            memory.judge.recall(name, self._recalled.get(name, ()))
            self._memories[name] = memory
        return memory

    def _take(
        self,
        memory: Memory,
        plan: Plan,
        probe: Probe,
        reading: Reading,
        source: Probe,
        owner: Owner,
    ) -> bool:
        """Publish, judge and report one reading; ``source`` is who can show evidence of it.

        Returns whether the reading leaves its probe in doubt.
        """
        role = memory.membership.role(plan.target)
        seen = role or memory.membership.actual  # what was seen is known before it is learned
        leader = "" if seen else self._clusters.leader(plan.target)
        self._latest.identify(plan.target.name, owner.flavour, owner.version, role)
        self._latest.update(plan, probe, reading, owner.cost)
        target = replace(plan.target, role=seen) if seen != plan.target.role else plan.target
        assessment = memory.judge.assess(target, probe, reading)
        self._latest.judged(plan, probe, reading, assessment.findings)
        self._freeze(memory, target, assessment, source, reading, owner)
        for finding in assessment.findings:
            if finding.fingerprint not in assessment.undecided:
                known = _beside(finding, leader) if leader else finding
                self._report(memory, known, self._patience(plan, probe, finding))
        return assessment.in_doubt

    def _freeze(
        self,
        memory: Memory,
        target: Target,
        assessment: Assessment,
        source: Probe,
        reading: Reading,
        owner: Owner,
    ) -> None:
        """At the first bad reading, while the cause is still there to be seen; once for all."""
        memory.frozen.onset(f for f in assessment.findings if f.fingerprint in assessment.onsets)
        names = memory.frozen.missing(assessment.onsets)
        taken = owner.gather(source, reading.at) if names else None
        if taken is None:
            return
        memory.frozen.keep(names, taken)
        paired = tuple(
            finding.fingerprint
            for finding in assessment.findings
            if finding.fingerprint in names and finding.family in pairing.PAIRED
        )
        for partner in self._clusters.partners(target) if paired else ():

            def other_side(plan: Plan, owner: Owner, now: datetime) -> None:
                shown = pairing.other_side(source, plan, owner, now)
                memory.frozen.answered(paired, shown, self._send)

            memory.frozen.ask(paired)
            if not self._ask(partner, other_side):
                memory.frozen.answered(paired, Evidence(reading.at, ()), self._send)

    def _report(self, memory: Memory, finding: Finding, patience_seconds: float) -> None:
        """One verdict for the desk, with its evidence, held back while a window is on."""

        def send(finding: Finding, seconds: float) -> None:
            self._send(finding, max(seconds, patience_seconds))

        memory.frozen.report(_in_window(memory, finding, memory.on), send)

    def _patience(self, plan: Plan, probe: Probe, finding: Finding) -> float:
        """How long an outage waits while others may turn out to be silent as well."""
        if not probe.judged_on_failure or finding.measure != probe.judged_on_failure:
            return 0.0
        if finding.severity is Severity.CLEAR:
            return 0.0
        return self._reach.patience(plan.target.name, plan.interval, plan.deadline)

    def _send(self, finding: Finding, patience_seconds: float) -> None:
        self._hold(finding.fingerprint, patience_seconds)
        self._mailbox.put(finding)

    def _tell_window(self, memory: Memory, plan: Plan, reading: Reading) -> None:
        """One log sentence and one line on /metrics when a maintenance window begins or ends."""
        on = self.maintenance.on(plan.target, reading.at)
        if on == memory.on:
            return
        if on is None and memory.on is not None:
            log.info("%s: maintenance '%s' ended", plan.target.name, memory.on.name)
        elif on is not None:
            log.info(
                "%s: maintenance '%s' began; no incidents open until %s",
                plan.target.name,
                on.name,
                on.until.isoformat(timespec="minutes"),
            )
        memory.on = on
        self._latest.window(plan, on)

    def _look_around(self, memory: Memory, plan: Plan, reading: Reading) -> None:
        """What several targets have in common is told before any of them is told alone."""
        announced = memory.on is not None
        for finding in self._reach.observe(
            plan.target, reading, plan.interval, announced=announced
        ):
            self._mailbox.put(finding)

    def _look_at_cost(self, memory: Memory, plan: Plan, reading: Reading, owner: Owner) -> None:
        if reading.failure is None:
            cost = memory.budget.derive(plan, reading, owner.cost)
            self._take(memory, plan, budget.PROBE, cost, budget.PROBE, owner)

    def _look_at_cluster(self, memory: Memory, plan: Plan, reading: Reading) -> None:
        target = plan.target
        expected = memory.membership.role(target)
        findings = self._clusters.observe(
            target, expected, role_of(reading), reading.at, plan.interval
        )
        on = self.maintenance.of(target.cluster, target.cluster, reading.at) or memory.on
        for finding in findings:
            self._mailbox.put(_in_window(memory, finding, on))


def _tell_change(memory: Memory, probe: Probe, reading: Reading) -> None:
    """One log sentence when a server goes away or comes back."""
    up = usable(probe, reading) if probe.judged_on_failure else None
    if up is None or up == memory.up:
        return
    if up:
        log.info("%s answers%s", reading.target, "" if memory.up is None else " again")
    else:
        why = reading.failure.message if reading.failure else "its availability probe measures 0"
        log.warning("%s cannot be used: %s", reading.target, why)
    memory.up = up


def _beside(finding: Finding, leader: str) -> Finding:
    """Of a server whose role is not known yet, that another one is its cluster's primary."""
    return replace(finding, about={**finding.about, "leader": leader})


def _in_window(memory: Memory, finding: Finding, on: On | None) -> Finding:
    """Held back while a window is on; told afterwards that it was."""
    name = finding.fingerprint
    if finding.severity is Severity.CLEAR:
        memory.held.pop(name, None)
        return finding
    if on is not None and finding.opens:
        memory.held[name] = on.name
        return replace(finding, opens=False)
    window = memory.held.get(name)
    if window is None:
        return finding
    held = _HELD.format(window=window)
    return replace(
        finding, hint=Text(f"{finding.hint.id} {held.id}", f"{finding.hint.en} {held.en}")
    )


_HELD = Text(
    "Bertahan sejak jendela pemeliharaan {window}.",
    "It has stood since the maintenance window {window}.",
)
