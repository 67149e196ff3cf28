"""Evidence of findings: taken at each onset, for replication on both sides.

No thread uses another target's session. The partner is asked through its own loop and answers
between two of its rounds; the asking thread does not wait. Only the report of an opening finding is
delayed, and for less than a second.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from probes import Evidence, Exhibit, Finding, Fingerprint, Probe, Reading, Severity, Target, Text
from probes.fleet.observation import Observation
from probes.fleet.plan import Plan
from probes.judge import Assessment
from probes.local.down_evidence import LOG
from probes.runner import Owner
from probes.words.evidence import labelled

IDENTIFYING = ("errno", "pid", "blocker_id", "gid")
"""Details of a measurement that tell one cause from another: the error, the holder of a lock."""

AGAIN_AFTER = timedelta(seconds=60)
"""How soon, at most, the evidence of a standing finding follows another change of its cause."""

LOG_AFTER = timedelta(seconds=10)
"""How long a server may take to log why it fails: PostgreSQL tries its primary every 5 s."""

LOGGED = frozenset({"availability", "replication"})
"""Families whose reason a server's log tells, often after the first bad reading."""

PAIRED = frozenset({"replication"})
"""Families whose evidence takes both sides."""

PATIENCE_SECONDS = 0.8
"""How long the report of an opening finding waits for the other side."""

_ERROR = re.compile(r"\b(?:FATAL|PANIC|PANIK|ERROR)\b")

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
    _causes: dict[Fingerprint, Mapping[str, str]] = field(default_factory=dict)  # as last seen
    _standing: dict[Fingerprint, Severity] = field(default_factory=dict)  # at the reading before
    _log_due: set[Fingerprint] = field(default_factory=set)  # taken once; the log may tell more
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

        Evidence is taken at every onset, while the cause can still be seen; that may wait for the
        server. Only a finding that is still raised when it turns bad again keeps what it has, if
        nothing that identifies the cause is different. It is taken again when a finding turns
        critical or its cause changes, and once more if the server's log then has a new error. An
        opening finding waits a little, and only once per taking, for partners.
        """
        requests = self._take(each, assessment, owner, partners)
        with self._lock:
            self._remember(each, assessment)
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
        missing, late = self._missing(each, assessment)
        taken = None
        if missing or late:
            taken = each.evidence or owner.gather(each.asked.probe, each.reading.at)
        if taken is None:
            return ()
        missing |= self._explained(late, taken)
        paired = tuple(
            finding.fingerprint
            for finding in assessment.findings
            if finding.fingerprint in missing and finding.family in PAIRED
        )
        asked = partners(each.target) if paired and not each.shared else ()
        with self._lock:
            self._evidence |= dict.fromkeys(missing, taken)
            self._waited -= missing
            if any(exhibit.title == LOG for exhibit in taken.exhibits):
                self._log_due |= {
                    each.fingerprint
                    for each in assessment.findings
                    if each.fingerprint in assessment.onsets and each.family in LOGGED
                }
            for name in paired if asked else ():
                self._asked[name] = self._asked.get(name, 0) + len(asked)
        return tuple(
            Request(partner, each.target.name, each.asked.probe, paired) for partner in asked
        )

    def _missing(
        self, each: Observation, assessment: Assessment
    ) -> tuple[frozenset[Fingerprint], frozenset[Fingerprint]]:
        """Findings without evidence of this onset, severity and cause, and those whose server may
        have logged the reason since.
        """
        missing, late = set(), set()
        with self._lock:
            for finding in assessment.findings:
                name, at = finding.fingerprint, finding.at
                before = self._standing.get(name, Severity.CLEAR)
                onset = name in assessment.onsets
                if not onset and (name not in self._causes or not finding.severity):
                    continue
                cause = _cause(finding, each.reading)
                known = self._causes.setdefault(name, cause)
                own = self._evidence.get(name)
                other = bool(cause) and cause != known
                if onset:
                    again = not before or other
                elif other and known:
                    again = own is None or at - own.taken_at >= AGAIN_AFTER
                else:
                    again = other or (before < finding.severity and before > Severity.CLEAR)
                if again or (onset and own is None):
                    missing.add(name)
                    self._causes[name] = cause or known
                    if onset:
                        self._evidence.pop(name, None)
                elif name in self._log_due and own and at - own.taken_at >= LOG_AFTER:
                    self._log_due.discard(name)
                    late.add(name)
        return frozenset(missing), frozenset(late)

    def _explained(self, late: Collection[Fingerprint], taken: Evidence) -> frozenset[Fingerprint]:
        """Those of these findings whose evidence lacks an error that the log shows now."""
        with self._lock:
            return frozenset(
                name
                for name in late
                if (own := self._evidence.get(name)) and _errors(taken) - _errors(own)
            )

    def _remember(self, each: Observation, assessment: Assessment) -> None:
        """Which findings stand now; what none of this probe's readings needs is dropped."""
        for finding in assessment.findings:
            if finding.severity > Severity.CLEAR:
                self._standing[finding.fingerprint] = finding.severity
            else:
                self._standing.pop(finding.fingerprint, None)
        if not assessment.in_doubt:  # also of subjects that are gone, which are judged no more
            for name in [name for name in self._causes if name.probe == each.probe.name]:
                self._causes.pop(name)
                self._evidence.pop(name, None)
                self._waited.discard(name)
                self._log_due.discard(name)

    def _attached(self, finding: Finding) -> Report:
        name = finding.fingerprint
        self._delayed.pop(name, None)
        evidence = self._evidence.get(name)
        if evidence is None:
            return Report(finding)
        if finding.severity is Severity.CLEAR:
            return Report(finding)
        finding = replace(finding, evidence=evidence)
        if finding.opens and self._asked.get(name) and name not in self._waited:
            self._waited.add(name)
            self._delayed[name] = finding
            return Report(finding, PATIENCE_SECONDS)
        return Report(finding)


def _cause(finding: Finding, reading: Reading) -> Mapping[str, str]:
    """What identifies the cause of a finding at this reading."""
    measured = {(each.measure, each.subject): each.detail for each in reading.measurements}
    detail = measured.get((finding.measure, finding.subject), {})
    told = {key: str(detail[key]) for key in IDENTIFYING if detail.get(key)}
    return told | ({"cause": finding.cause} if finding.cause else {})


def _errors(taken: Evidence) -> set[str]:
    """The lines of the server's log that tell of an error."""
    return {
        str(row[0])
        for exhibit in taken.exhibits
        if exhibit.title == LOG
        for row in exhibit.rows
        if _ERROR.search(str(row[0]))
    }


def other_side(request: Request, plan: Plan, owner: Owner, now: datetime) -> Evidence:
    """A partner's evidence on the same probe; called in the partner's own thread."""
    name = plan.target.name
    asked = next((each for each in plan.probes if each.name == request.probe.name), None)
    taken = owner.gather(asked, now) if asked is not None else None
    if taken is None:
        return Evidence(now, labelled([Exhibit(_UNASKED, (), ())], name))
    return Evidence(now, labelled(taken.exhibits, name))
