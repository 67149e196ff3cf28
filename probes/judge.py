"""Turns readings into findings: the present verdict, stated again at every reading.

Each limit has its own state (raised or not, how many bad or good readings in a row), so warning and
critical raise and clear independently and a value that varies around a limit does not flap. The
judge keeps only these states; it reads no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from probes.model import (
    CONNECTION_KINDS,
    NOTHING_SAID,
    Failure,
    FailureKind,
    Limits,
    Measure,
    Measurement,
    Probe,
    Reading,
    Severity,
    Target,
    Text,
    Threshold,
    Tuning,
)
from probes.words.failure_text import REASONS, why
from probes.words.finding import Finding, Fingerprint
from probes.words.units import written

BLIND = "blind"
"""The measure (and family) of findings that report a blind probe."""

_NO_LIMITS, _AS_DECLARED = Limits(), Tuning()


@dataclass(frozen=True, slots=True)
class Recalled:
    """A finding that was open at the desk before this process started."""

    probe: str
    measure: str
    subject: str
    severity: Severity
    since: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """The state of one limit."""

    raised: bool = False
    bad: int = 0  # consecutive readings beyond the limit
    good: int = 0
    since: datetime | None = None  # first reading of the present run

    def next(self, is_bad: bool, at: datetime, raise_after: int, clear_after: int) -> Level:
        """The state after one more reading."""
        bad, good = (self.bad + 1, 0) if is_bad else (0, self.good + 1)
        since = at if (bad == 1 or good == 1 or self.since is None) else self.since
        if self.raised:
            return Level(good < clear_after, bad, good, since)
        return Level(bad >= raise_after, bad, good, since)


@dataclass(frozen=True, slots=True)
class _Memory:
    warning: Level = Level()
    critical: Level = Level()
    last: Measurement | None = None
    worst: Measurement | None = None  # the last bad one, for the text of a clear finding
    worst_was: Severity = Severity.CLEAR  # the verdict at that reading: its limit is told with it
    hint: Text = NOTHING_SAID
    decided: bool = False  # there was a verdict: it was raised, or a reading was good

    @property
    def severity(self) -> Severity:
        if self.critical.raised:
            return Severity.CRITICAL
        return Severity.WARNING if self.warning.raised else Severity.CLEAR


class Assessment(NamedTuple):
    """The verdicts on one reading."""

    findings: list[Finding]
    onsets: frozenset[Fingerprint]
    """Fingerprints whose first bad reading this is; evidence is stored now."""
    undecided: frozenset[Fingerprint] = frozenset()
    """Fingerprints that are bad, but not long enough yet for a verdict; they are not reported as
    clear.
    """
    in_doubt: bool = False
    """The reading failed, or one of its measures is beyond a limit or not clear yet."""


class _Verdict(NamedTuple):
    finding: Finding
    begins: bool = False  # this is its first bad reading
    decided: bool = True


class Judge:
    """Keeps the streaks of one agent's targets. Not thread-safe for a single target.

    After a start, a finding that is bad but not long enough yet is ``undecided``: reporting it as
    clear would clear an open incident that has not healed.
    """

    def __init__(self) -> None:
        self._memory: dict[tuple[str, str, str], dict[str, _Memory]] = {}

    def recall(self, target: str, troubles: Iterable[Recalled]) -> None:
        """Restore the open findings at a start, so that they can clear, also for a subject that is
        gone.
        """
        for each in troubles:
            level = Level(raised=True, bad=1, since=each.since)
            critical = level if each.severity is Severity.CRITICAL else Level()
            memories = self._memory.setdefault((target, each.probe, each.measure), {})
            memories.setdefault(each.subject, _Memory(level, critical, decided=True))

    def assess(self, target: Target, probe: Probe, reading: Reading) -> Assessment:
        """The present verdicts of this probe on this target.

        A connection failure affects only the measure the probe names in ``judged_on_failure``. All
        other measures keep their state, because a missing value is no reason to clear.
        """
        failure = reading.failure
        measured = reading.measurements
        hint = NOTHING_SAID
        if failure is not None and failure.kind in CONNECTION_KINDS:
            if not probe.judged_on_failure:
                return Assessment([], frozenset(), in_doubt=True)
            measured = (_as_zero(probe.judged_on_failure, failure),)
            hint = failure.hint
        tuning = target.probes.get(probe.name, _AS_DECLARED)
        verdicts: list[_Verdict] = []
        if failure is None or failure.kind in CONNECTION_KINDS:
            for declared in probe.thresholds:
                if failure is not None and declared.measure != probe.judged_on_failure:
                    continue
                limits = tuning.thresholds.get(declared.measure, _NO_LIMITS)
                verdicts += self._judge(
                    target, probe, tuned(declared, limits), measured, reading.at, hint
                )
        if failure is None or failure.kind not in CONNECTION_KINDS | {FailureKind.UNSUPPORTED}:
            verdicts.append(_Verdict(self._judge_sight(target, probe, failure, reading.at)))
        return Assessment(
            [each.finding for each in verdicts],
            frozenset(each.finding.fingerprint for each in verdicts if each.begins),
            frozenset(each.finding.fingerprint for each in verdicts if not each.decided),
            failure is not None or self._in_doubt(target, probe),
        )

    def _in_doubt(self, target: Target, probe: Probe) -> bool:
        return any(
            _bad(memory) or memory.severity > Severity.CLEAR
            for declared in probe.thresholds
            for memory in self._memory.get((target.name, probe.name, declared.measure), {}).values()
        )

    def _judge(
        self,
        target: Target,
        probe: Probe,
        threshold: Threshold,
        measured: tuple[Measurement, ...],
        at: datetime,
        hint: Text,
    ) -> Iterator[_Verdict]:
        """The verdicts on one measure, of every subject that was seen or is missing."""
        memories = self._memory.setdefault((target.name, probe.name, threshold.measure), {})
        measure = next(m for m in probe.measures if m.name == threshold.measure)
        seen = {m.subject: m for m in measured if m.measure == threshold.measure}
        down = {(m.measure, m.subject) for m in measured if m.value == 0}
        for subject, measurement in seen.items():
            before = memories.get(subject, _Memory())
            after = _updated(before, threshold, measurement, at, hint)
            memories[subject] = after
            finding = _finding(target, probe, measure, threshold, subject, after, at)
            yield _Verdict(finding, _bad(after) and not _bad(before), after.decided)
        for subject in [subject for subject in memories if subject not in seen]:
            if not threshold.absent_clears or (threshold.unknown_without, subject) in down:
                continue
            after = _absent(memories[subject], threshold, at)
            memories[subject] = after
            yield _Verdict(_finding(target, probe, measure, threshold, subject, after, at))
            if after.severity is Severity.CLEAR:
                del memories[subject]

    def _judge_sight(
        self, target: Target, probe: Probe, failure: Failure | None, at: datetime
    ) -> Finding:
        """A blind probe is a warning of its own, with the command that fixes it."""
        memories = self._memory.setdefault((target.name, probe.name, BLIND), {})
        level = memories.get("", _Memory()).warning.next(failure is not None, at, 1, 1)
        memories[""] = _Memory(warning=level, decided=True)
        reason = why(failure) if failure else NOTHING_SAID
        return Finding(
            target=target.name,
            probe=probe.name,
            measure=BLIND,
            subject="",
            severity=Severity.WARNING if level.raised else Severity.CLEAR,
            title=Text(
                "{target}: {probe} cannot see: {reason}",
                target=target.name,
                probe=probe.name,
                reason=reason,
            )
            if failure
            else Text("{target}: {probe} can see again", target=target.name, probe=probe.name),
            hint=failure.hint if failure else NOTHING_SAID,
            family=BLIND,
            at=at,
            since=level.since or at,
            about=about(target),
            runbook=probe.runbook,
            headline=Text("{target}: {probe} cannot see", target=target.name, probe=probe.name),
        )


def tuned(declared: Threshold, limits: Limits) -> Threshold:
    """The threshold with a target's own limits in place of the declared ones."""
    if limits == _NO_LIMITS:  # almost always, and this is asked at every reading
        return declared
    return replace(
        declared,
        warning=declared.warning if limits.warning is None else limits.warning,
        critical=declared.critical if limits.critical is None else limits.critical,
        raise_after=limits.raise_after or declared.raise_after,
        clear_after=limits.clear_after or declared.clear_after,
        opens=declared.opens if limits.opens is None else limits.opens,
    )


def about(target: Target) -> dict[str, str]:
    """The configuration's description of a target, for readers of findings."""
    facts = {
        "engine": target.engine,
        "cluster": target.cluster,
        "role": target.role,
        "application": target.application,
        "agency": target.agency,
        "host": target.host or target.machine,
        "agent": target.agent,
    }
    return {name: value for name, value in facts.items() if value}


def _as_zero(measure: str, failure: Failure) -> Measurement:
    return Measurement(
        measure,
        0.0,
        detail={
            "reason": failure.said if failure.said != NOTHING_SAID else REASONS[failure.kind],
            "message": failure.message,
            "failure_kind": str(failure.kind),
        },
    )


def _bad(memory: _Memory) -> bool:
    """Beyond some limit at the last reading, whether raised yet or not."""
    return memory.warning.bad > 0 or memory.critical.bad > 0


def _beyond(value: float, limit: float | None, threshold: Threshold, raised: bool) -> bool:
    """Whether the value is bad; a raised limit needs the margin before a value counts as good."""
    if limit is None:
        return False
    margin = abs(limit) * threshold.clear_margin if raised else 0.0
    return value >= limit - margin if threshold.above else value <= limit + margin


def _updated(
    memory: _Memory, threshold: Threshold, measurement: Measurement, at: datetime, hint: Text
) -> _Memory:
    def moved(level: Level, limit: float | None) -> Level:
        is_bad = _beyond(measurement.value, limit, threshold, level.raised)
        return level.next(is_bad, at, threshold.raise_after, threshold.clear_after)

    warning = moved(memory.warning, threshold.warning)
    critical = moved(memory.critical, threshold.critical)
    bad = warning.bad > 0 or critical.bad > 0
    after = _Memory(
        warning,
        critical,
        measurement,
        memory.worst,
        memory.worst_was,
        hint,
        decided=memory.decided or not bad or warning.raised or critical.raised,
    )
    return replace(after, worst=measurement, worst_was=after.severity) if bad else after


def _absent(memory: _Memory, threshold: Threshold, at: datetime) -> _Memory:
    def moved(level: Level) -> Level:
        return level.next(False, at, threshold.raise_after, threshold.clear_after)

    return replace(memory, warning=moved(memory.warning), critical=moved(memory.critical))


def _finding(
    target: Target,
    probe: Probe,
    measure: Measure,
    threshold: Threshold,
    subject: str,
    memory: _Memory,
    at: datetime,
) -> Finding:
    severity = memory.severity
    stood = severity or memory.worst_was  # a clear finding shows its last bad values
    limit = threshold.critical if stood is Severity.CRITICAL else threshold.warning
    if limit is None:
        limit = threshold.critical
    value = memory.last.value if memory.last else None
    told = memory.worst or memory.last
    values: dict[str, object] = dict(told.detail) if told else {}
    values |= {"target": target.name, "subject": subject}
    if told is not None:
        values["value"] = written(told.value, measure.unit)
    if limit is not None:
        values["limit"] = written(limit, measure.unit)
    level = memory.critical if severity is Severity.CRITICAL else memory.warning
    if threshold.warning is None:
        level = memory.critical
    title = threshold.title.filled(values)
    healed = severity is Severity.CLEAR and memory.worst is not None
    return Finding(
        target=target.name,
        probe=probe.name,
        measure=measure.name,
        subject=subject,
        severity=severity,
        title=title,
        hint=memory.hint if memory.hint.en else threshold.hint.filled(values),
        family=threshold.family,
        at=at,
        since=level.since or at,
        value=value,
        limit=limit,
        unit=measure.unit,
        opens=severity >= threshold.opens and severity > Severity.CLEAR,
        about=about(target),
        runbook=probe.runbook,
        cause=str(values.get("failure_kind", "")),
        headline=threshold.headline.filled(values),
        seen_last=title if healed else NOTHING_SAID,
    )
