"""Why: the whole product on one screen: measure, publish, judge, respond.

Promise: a reading is on /metrics before anything that could fail is tried with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from agent.latest import Latest
from agent.scheduler import Plan
from probes import Evidence, Finding, Probe, Reading, Severity
from probes.judge import Assessment, Judge
from probes.runner import Owner

KEPT_WHILE_CLEAR = timedelta(minutes=10)
"""Evidence of trouble that never grew into a finding is thrown away after this."""


class Mailbox(Protocol):
    """Where findings go; taking one never waits and never fails."""

    def put(self, finding: Finding) -> None: ...


class Pipeline:
    """Hands every reading on; each target is served by its own thread."""

    def __init__(self, latest: Latest, mailbox: Mailbox) -> None:
        self._latest = latest
        self._mailbox = mailbox
        self._judges: dict[str, Judge] = {}
        self._evidence: dict[str, dict[str, Evidence]] = {}

    def handle(self, plan: Plan, probe: Probe, reading: Reading, owner: Owner) -> None:
        """One reading, all the way to the desk's mailbox."""
        self._latest.update(plan, probe, reading, owner.cost)
        assessment = self._judge(plan.target.name).assess(plan.target, probe, reading)
        self._latest.judged(plan, probe, reading, assessment.findings)
        self._freeze(plan.target.name, assessment, lambda: owner.gather(probe, reading.at))
        for finding in assessment.findings:
            self._mailbox.put(self._with_evidence(finding))

    def forget(self, target: str) -> None:
        """A target left the configuration: its streaks and its evidence go too."""
        self._judges.pop(target, None)
        self._evidence.pop(target, None)

    def _judge(self, target: str) -> Judge:
        return self._judges.setdefault(target, Judge())

    def _freeze(
        self, target: str, assessment: Assessment, gather: Callable[[], Evidence | None]
    ) -> None:
        """At the first bad reading, while the cause is still there to be seen."""
        taken = gather() if assessment.onsets else None
        if taken is not None:
            self._evidence.setdefault(target, {}).update(dict.fromkeys(assessment.onsets, taken))

    def _with_evidence(self, finding: Finding) -> Finding:
        kept = self._evidence.get(finding.target, {})
        evidence = kept.get(finding.fingerprint)
        if evidence is None:
            return finding
        if finding.severity > Severity.CLEAR:
            return replace(finding, evidence=evidence)
        if finding.at - evidence.taken_at > KEPT_WHILE_CLEAR:
            del kept[finding.fingerprint]
        return finding
