"""Evidence of findings: taken at the first bad reading, for replication on both sides.

No thread uses another target's session. The partner is asked through its own loop and answers
between two of its rounds; the asking thread does not wait. Only the report of an opening finding is
delayed, and for less than a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from probes import Evidence, Exhibit, Finding, Fingerprint, Probe, Severity, Target, Text
from probes.fleet.observation import Observation
from probes.fleet.plan import Plan
from probes.judge import Assessment
from probes.runner import Owner
from probes.words.evidence import labelled

KEPT_WHILE_CLEAR = timedelta(minutes=10)
"""Evidence is dropped once its finding has been clear for so long: a flapping finding keeps what
was seen at its first onset, and nothing is asked again."""

PAIRED = frozenset({"replication"})
"""Families whose evidence takes both sides."""

PATIENCE_SECONDS = 0.8
"""How long the report of an opening finding waits for the other side."""

_UNASKED = Text("this side could not be asked")


@dataclass(frozen=True, slots=True)
class Request:
    """Asks a replication partner to show its side; its own thread answers between two rounds."""

    partner: str
    target: str  # on whose behalf
    probe: Probe
    findings: tuple[Fingerprint, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A finding for the desk, and how long it waits for better evidence."""

    finding: Finding
    wait_seconds: float = 0.0


@dataclass(slots=True)
class EvidenceStore:
    """The evidence of one target's findings. Its own thread and its partners' use it."""

    _evidence: dict[Fingerprint, Evidence] = field(default_factory=dict)
    _asked: dict[Fingerprint, int] = field(default_factory=dict)  # partners without an answer yet
    _delayed: dict[Fingerprint, Finding] = field(default_factory=dict)  # reports that wait for one
    _waited: set[Fingerprint] = field(default_factory=set)
    _causes: dict[Fingerprint, str] = field(default_factory=dict)  # of the newest onset
    _clear_since: dict[Fingerprint, datetime] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        each: Observation,
        assessment: Assessment,
        findings: Iterable[Finding],
        owner: Owner,
        partners: Callable[[Target], Sequence[str]],
    ) -> tuple[list[Report], tuple[Request, ...]]:
        """The findings with their evidence, and what is to be asked of replication partners.

        Evidence is taken when a finding begins, while the cause can still be seen; that may wait
        for the server. An opening finding waits a little, and only once, for partners.
        """
        requests = self._take(each, assessment, owner, partners)
        with self._lock:
            if not self._evidence:  # almost always
                return [Report(finding) for finding in findings], requests
            return [self._attached(finding) for finding in findings], requests

    def answer(self, names: Collection[Fingerprint], taken: Evidence | None) -> list[Report]:
        """Add what a partner has shown; None: it could not be asked.

        Returns the reports that waited for it.
        """
        reports = []
        with self._lock:
            for name in names:
                left = self._asked.pop(name, 1) - 1
                if left > 0:
                    self._asked[name] = left
                own = self._evidence.get(name)
                if own is None:
                    continue
                if taken is not None:
                    own = replace(own, exhibits=own.exhibits + taken.exhibits)
                    self._evidence[name] = own
                if left <= 0 and name in self._delayed:
                    reports.append(Report(replace(self._delayed.pop(name), evidence=own)))
        return reports

    def _take(
        self,
        each: Observation,
        assessment: Assessment,
        owner: Owner,
        partners: Callable[[Target], Sequence[str]],
    ) -> tuple[Request, ...]:
        missing = self._missing(assessment) if assessment.onsets else frozenset()
        taken = (
            each.evidence or owner.gather(each.asked.probe, each.reading.at) if missing else None
        )
        if taken is None:
            return ()
        paired = tuple(
            finding.fingerprint
            for finding in assessment.findings
            if finding.fingerprint in missing and finding.family in PAIRED
        )
        asked = partners(each.target) if paired and not each.shared else ()
        with self._lock:
            self._evidence |= dict.fromkeys(missing, taken)
            for name in paired if asked else ():
                self._asked[name] = self._asked.get(name, 0) + len(asked)
        return tuple(
            Request(partner, each.target.name, each.asked.probe, paired) for partner in asked
        )

    def _missing(self, assessment: Assessment) -> frozenset[Fingerprint]:
        """Findings that begin now without evidence; old evidence, or of another cause, does not
        count.
        """
        with self._lock:
            for finding in assessment.findings:
                name = finding.fingerprint
                if name not in assessment.onsets:
                    continue
                self._drop_old(finding.at)
                self._clear_since.pop(name, None)
                if self._causes.get(name, finding.cause) != finding.cause:
                    self._evidence.pop(name, None)
                    self._waited.discard(name)
                self._causes[name] = finding.cause
            return frozenset(name for name in assessment.onsets if name not in self._evidence)

    def _drop_old(self, at: datetime) -> None:
        """Drop what has been clear for long; a subject that is gone is never judged again."""
        for name, since in list(self._clear_since.items()):
            if at - since > KEPT_WHILE_CLEAR:
                del self._clear_since[name]
                self._evidence.pop(name, None)
                self._causes.pop(name, None)
                self._waited.discard(name)

    def _attached(self, finding: Finding) -> Report:
        name = finding.fingerprint
        self._delayed.pop(name, None)
        evidence = self._evidence.get(name)
        if evidence is None:
            return Report(finding)
        if finding.severity is Severity.CLEAR:
            self._clear_since[name] = finding.since
            self._drop_old(finding.at)
            return Report(finding)
        self._clear_since.pop(name, None)
        finding = replace(finding, evidence=evidence)
        if finding.opens and self._asked.get(name) and name not in self._waited:
            self._waited.add(name)
            self._delayed[name] = finding
            return Report(finding, PATIENCE_SECONDS)
        return Report(finding)


def other_side(request: Request, plan: Plan, owner: Owner, now: datetime) -> Evidence:
    """A partner's evidence on the same probe; called in the partner's own thread."""
    name = plan.target.name
    asked = next((each for each in plan.probes if each.name == request.probe.name), None)
    taken = owner.gather(asked, now) if asked is not None else None
    if taken is None:
        return Evidence(now, labelled([Exhibit(_UNASKED, (), ())], name))
    return Evidence(now, labelled(taken.exhibits, name))
