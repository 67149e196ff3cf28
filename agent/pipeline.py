"""Why: the whole product on one screen: measure, publish, judge, respond.

Promise: a reading is on /metrics before anything that could fail is tried with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from agent.latest import Latest, usable
from agent.scheduler import Plan
from probes import Evidence, Finding, Probe, Reading, Severity
from probes.judge import Assessment, Judge
from probes.runner import Owner

log = logging.getLogger("sigap.pipeline")

KEPT_WHILE_CLEAR = timedelta(minutes=10)
"""Evidence of trouble that never grew into a finding is thrown away after this."""


class Mailbox(Protocol):
    """Where findings go; taking one never waits and never fails."""

    def put(self, finding: Finding) -> None: ...


@dataclass(slots=True)
class Memory:
    """What is remembered of one target between two readings."""

    judge: Judge = field(default_factory=Judge)
    evidence: dict[str, Evidence] = field(default_factory=dict)  # by fingerprint
    decided: set[str] = field(default_factory=set)  # fingerprints that had a verdict
    brewing: dict[str, datetime] = field(default_factory=dict)  # undecided, bad since
    up: bool | None = None


class Pipeline:
    """Hands every reading on; each target is served by its own thread."""

    def __init__(self, latest: Latest, mailbox: Mailbox) -> None:
        self._latest = latest
        self._mailbox = mailbox
        self._memories: dict[str, Memory] = {}

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> None:
        """One reading, all the way to the desk's mailbox."""
        memory = self._memories.setdefault(plan.target.name, Memory())
        self._latest.update(plan, probe, reading, owner.cost)
        _tell_change(memory, probe, reading)
        assessment = memory.judge.assess(plan.target, probe, reading)
        self._latest.judged(plan, probe, reading, assessment.findings)
        _freeze(memory, assessment, lambda: owner.gather(probe, reading.at))
        for finding in _decided(memory, assessment):
            self._mailbox.put(_with_evidence(memory, finding))

    def forget(self, target: str) -> None:
        """A target left the configuration: its streaks and its evidence go too."""
        self._memories.pop(target, None)


def _tell_change(memory: Memory, probe: Probe, reading: Reading) -> None:
    """One log sentence when a server goes away or comes back."""
    up = usable(probe, reading) if probe.judged_on_failure else None
    if up is None or up == memory.up:
        return
    if up:
        log.info("%s answers%s", reading.target, "" if memory.up is None else " again")
    else:
        why = reading.failure.message if reading.failure else "it says so itself"
        log.warning("%s cannot be used: %s", reading.target, why)
    memory.up = up


def _freeze(memory: Memory, assessment: Assessment, gather: Callable[[], Evidence | None]) -> None:
    """At the first bad reading, while the cause is still there to be seen."""
    taken = gather() if assessment.onsets else None
    if taken is not None:
        memory.evidence.update(dict.fromkeys(assessment.onsets, taken))


def _decided(memory: Memory, assessment: Assessment) -> Iterator[Finding]:
    """The findings that are verdicts.

    After a start, trouble that is bad but not yet for long enough is no all-clear: stating it
    would clear an open incident that nothing has healed.
    """
    for finding in assessment.findings:
        name = finding.fingerprint
        if finding.severity is Severity.CLEAR and name not in memory.decided:
            if name in assessment.onsets:
                memory.brewing[name] = finding.since
            if memory.brewing.get(name) == finding.since:
                continue
        memory.brewing.pop(name, None)
        memory.decided.add(name)
        yield finding


def _with_evidence(memory: Memory, finding: Finding) -> Finding:
    evidence = memory.evidence.get(finding.fingerprint)
    if evidence is None:
        return finding
    if finding.severity > Severity.CLEAR:
        return replace(finding, evidence=evidence)
    if finding.at - evidence.taken_at > KEPT_WHILE_CLEAR:
        del memory.evidence[finding.fingerprint]
    return finding
