"""The newest reading and verdicts of every probe, in memory, for /metrics and the pages.

Nothing here waits for a database or a disk. A probe that could not look shows no values, and values
that are too old are left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.metrics.text_format import Board, Family, Key, line, sample, written
from probes import (
    CONNECTION_KINDS,
    Finding,
    Fingerprint,
    Limits,
    Measure,
    Measurement,
    Probe,
    Reading,
    Severity,
)
from probes.fleet.observation import DERIVED, Observation
from probes.fleet.plan import Plan
from probes.judge import tuned
from probes.runner import HOST
from probes.words.cost import Cost
from probes.words.units import version_in_words

TARGET_UP = Family("sigap_target_up", "Whether the server answered and can be used (1) or not (0).")
SUCCESS = Family("sigap_probe_success", "Whether the last reading of the probe succeeded.")
DURATION = Family("sigap_probe_duration_seconds", "How long the last reading took.")
READ_AT = Family(
    "sigap_probe_last_reading_timestamp_seconds", "When the probe last read, failed or not."
)
INTERVAL = Family("sigap_probe_interval_seconds", "How often the probe reads.")
READINGS = Family("sigap_probe_readings_total", "Readings taken.", "counter")
FAILURES = Family(
    "sigap_probe_failures_total", "Readings that failed, by kind of failure.", "counter"
)
SEVERITY = Family(
    "sigap_finding_severity", "Present verdict on a measure: 0 clear, 1 warning, 2 critical."
)
THRESHOLD = Family(
    "sigap_threshold", "Limit from which a measure is a warning or critical, in the measure's unit."
)
SESSIONS = Family("sigap_agent_sessions", "Open sessions of the agent on the server.")
SPENT = Family(
    "sigap_agent_db_seconds_total", "Time the agent waited for the server's answers.", "counter"
)
LOGINS = Family("sigap_agent_logins_total", "Logins of the agent on the server.", "counter")
STATEMENTS = Family(
    "sigap_agent_statements_total", "Statements the agent sent to the server.", "counter"
)
ROWS = Family("sigap_agent_rows_total", "Rows the agent took from the server.", "counter")
LOCK_WAITS = Family(
    "sigap_agent_lock_waits_total",
    "Statements of the agent that gave up waiting for a lock.",
    "counter",
)
LONGEST = Family(
    "sigap_agent_longest_statement_seconds", "The longest single statement of the agent so far."
)
STALE = Family(
    "sigap_probe_stale", "1 when the probe's last reading is too old to be used, 0 when not."
)
MAINTENANCE = Family(
    "sigap_maintenance_active", "1 while a maintenance window suppresses this target's incidents."
)


def measure_family(probe: Probe, measure: Measure) -> Family:
    """The family of a measure: ``sigap_<engine>_<name>``, ``sigap_<name>`` for the host's."""
    prefix = "sigap" if probe.engine in (HOST, DERIVED) else f"sigap_{probe.engine}"
    unit = f" ({measure.unit})" if measure.unit else ""
    help_text = measure.help.rstrip(".")
    kind: Any = "counter" if measure.name.endswith("_total") else "gauge"
    return Family(f"{prefix}_{measure.name}", f"{help_text}{unit}.", kind)


@dataclass(slots=True)
class Seen:
    """One probe of one target, as last seen."""

    probe: Probe
    reading: Reading | None = None
    readings: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    findings: dict[Fingerprint, Finding] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()  # families with lines on the board
    stale_after: float = 0.0  # seconds after which the reading is stale


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of a server when it was asked: what it turned out to be, and our cost."""

    cost: Cost
    flavour: str = ""
    version: int = 0
    role: str = ""  # the expected one, declared or learned


@dataclass(slots=True)
class Watched:
    """One target with its probes, as last seen."""

    plan: Plan
    probes: dict[str, Seen]
    flavour: str = ""
    version: str = ""
    role: str = ""  # the expected one, declared or learned
    window: str = ""  # the maintenance window that holds its incidents back

    def seen(self, each: Observation) -> Seen | None:
        """What was seen of a probe; one that is derived appears with its first reading."""
        if each.source is not None:
            return self.probes.setdefault(each.probe.name, Seen(each.probe))
        return self.probes.get(each.probe.name)


class Latest:
    """The newest reading and verdicts of every probe; each target is written by one thread."""

    def __init__(self, board: Board, monotonic: Callable[[], float]) -> None:
        self._board = board
        self._monotonic = monotonic
        self._targets: dict[str, Watched] = {}
        self._shared: dict[str, Watched] = {}  # clusters, hosts and the agent
        self._lock = threading.Lock()

    def watched(self) -> tuple[Watched, ...]:
        """The targets; not what several of them share."""
        with self._lock:
            return tuple(self._targets.values())

    def declare(self, plan: Plan) -> None:
        """A target was added to the configuration, or changed: its limits are known at once."""
        name = plan.target.name
        with self._lock:
            before = self._targets.get(name)
            if before is not None and before.plan == plan:
                return
            self._targets[name] = Watched(plan, {p.name: Seen(p) for p in plan.probes})
        if before is not None:
            self._board.forget(name)
        for probe in plan.probes:
            self._board.put(THRESHOLD, (name, probe.name), _limits(plan, probe))
            labels = written({"target": name, "probe": probe.name})
            text = sample(INTERVAL.name, labels, plan.period(probe))
            self._board.put(INTERVAL, (name, probe.name), text)
            text = sample(STALE.name, labels, 1.0)  # until its first reading
            self._board.put(STALE, (name, probe.name), text)

    def forget(self, target: str) -> None:
        """A target was removed from the configuration: drop everything about it."""
        with self._lock:
            self._targets.pop(target, None)
        self._board.forget(target)

    def keep_shared(self, names: Collection[str]) -> None:
        """Drop everything about clusters, hosts and agents other than these."""
        with self._lock:
            gone = [name for name in self._shared if name not in names]
            for name in gone:
                del self._shared[name]
        for name in gone:
            self._board.forget(_SHARED, name)

    def publish(self, each: Observation, server: ServerFacts | None = None) -> None:
        """Record one reading; ``server``: what is known of the server, if it was asked."""
        found = self._find(each)
        if found is None:
            return
        watched, seen = found
        reading = each.reading
        seen.reading, seen.stale_after = reading, each.stale_after
        seen.readings += 1
        if reading.failure is not None:
            kind = reading.failure.kind.value
            seen.failures[kind] = seen.failures.get(kind, 0) + 1
        if each.source is not None and seen.readings == 1:
            self._board.put(THRESHOLD, _key(each), _limits(each.plan, each.probe))
        self._show_probe(each, seen)
        if server is not None:
            self._show_target(watched, each.probe, reading, server)
        self._show_measures(each, seen)

    def export(self, each: Observation, said: Iterable[Finding]) -> None:
        """Record the verdicts on one reading."""
        found = self._find(each)
        if found is None:
            return
        _, seen = found
        before = _verdicts(seen.findings)
        stated = {finding.fingerprint: finding for finding in said}
        failure = each.reading.failure
        connected = failure is None or failure.kind not in CONNECTION_KINDS
        kept = {
            fingerprint: finding
            for fingerprint, finding in seen.findings.items()
            # a subject that is gone and was fine is no longer worth a line; not seeing keeps all
            if not connected or finding.severity > Severity.CLEAR
        }
        seen.findings = kept | stated
        if before and before == _verdicts(seen.findings):
            return  # its lines exist already
        text = "".join(
            line(
                SEVERITY.name,
                {"target": f.target, "probe": f.probe, "measure": f.measure, "subject": f.subject},
                float(f.severity),
            )
            for f in seen.findings.values()
        )
        self._board.put(SEVERITY, _key(each), text)

    def window(self, plan: Plan, name: str) -> None:
        """The maintenance window that is on for a target now; empty: none is."""
        target = plan.target.name
        watched = self._targets.get(target)
        if watched is not None:
            watched.window = name
        if name:
            labels = {"target": target, "window": name}
            self._board.put(MAINTENANCE, (target,), line(MAINTENANCE.name, labels, 1.0))
        else:
            self._board.drop(MAINTENANCE.name, (target,))

    def _find(self, each: Observation) -> tuple[Watched, Seen] | None:
        """Where a reading belongs; None: its target has left or was changed meanwhile."""
        watched: Watched | None
        if each.shared:
            with self._lock:
                watched = self._shared.setdefault(each.target.name, Watched(each.plan, {}))
        else:
            watched = self._targets.get(each.target.name)
            if watched is None or watched.plan is not each.plan:
                return None
        seen = watched.seen(each)
        return (watched, seen) if seen is not None else None

    def _show_probe(self, each: Observation, seen: Seen) -> None:
        key, reading = _key(each), each.reading
        named = {"target": reading.target, "probe": reading.probe}
        labels = written(named)
        for family, value in (
            (SUCCESS, 0.0 if reading.failure else 1.0),
            (READ_AT, reading.at.timestamp()),
            (READINGS, float(seen.readings)),
        ):
            self._board.put(family, key, sample(family.name, labels, value))
        if each.source is None:  # what is derived takes no time of its own
            text = sample(DURATION.name, labels, reading.duration_seconds)
            self._board.put(DURATION, key, text)
        self._board.put(
            STALE,
            key,
            sample(STALE.name, labels, 0.0),
            self._monotonic() + each.stale_after,
            sample(STALE.name, labels, 1.0),
        )
        if seen.failures:
            text = "".join(
                line(FAILURES.name, {**named, "kind": kind}, float(count))
                for kind, count in sorted(seen.failures.items())
            )
            self._board.put(FAILURES, key, text)

    def _show_measures(self, each: Observation, seen: Seen) -> None:
        probe, key, reading = each.probe, _key(each), each.reading
        expires = self._monotonic() + each.stale_after
        shown: set[str] = set()
        of_target = written({"target": reading.target})
        for measure in probe.measures:
            values = [m for m in reading.measurements if m.measure == measure.name]
            if not values:
                continue
            family = measure_family(probe, measure)
            text = "".join(_sample(family, measure, of_target, value) for value in values)
            self._board.put(family, key, text, expires)
            shown.add(family.name)
        for name in seen.measured - shown:
            self._board.drop(name, key)
        seen.measured = frozenset(shown)

    def _show_target(
        self, watched: Watched, probe: Probe, reading: Reading, server: ServerFacts
    ) -> None:
        cost, watched.role = server.cost, server.role
        if server.flavour:  # one that is down is still what it was
            watched.flavour = server.flavour
            watched.version = version_in_words(server.flavour, server.version)
        target, name = watched.plan.target, watched.plan.target.name
        up = usable(probe, reading)
        if probe.judged_on_failure:
            facts = {
                "target": name,
                "engine": target.engine,
                "cluster": target.cluster,
                "role": watched.role or target.role,
            }
            if up is None:
                self._board.drop(TARGET_UP.name, (name,))
            else:
                self._board.put(TARGET_UP, (name,), line(TARGET_UP.name, facts, float(up)))
        labels = written({"target": name})
        for family, value in (
            (SESSIONS, cost.sessions),
            (SPENT, cost.seconds),
            (LOGINS, cost.logins),
            (STATEMENTS, cost.statements),
            (ROWS, cost.rows),
            (LOCK_WAITS, cost.lock_waits),
            (LONGEST, cost.longest_seconds),
        ):
            self._board.put(family, (name,), sample(family.name, labels, float(value)))


def usable(probe: Probe, reading: Reading) -> bool | None:
    """Whether the server can be used, according to the probe that decides it; None: not known."""
    if reading.failure is not None:
        return False if reading.failure.kind in CONNECTION_KINDS else None
    for measurement in reading.measurements:
        if measurement.measure == probe.judged_on_failure:
            return measurement.value > 0
    return None


_SHARED = ""
"""Begins the keys of what several targets share; no target has an empty name."""


def _key(each: Observation) -> Key:
    name, probe = each.target.name, each.probe.name
    return (_SHARED, name, probe) if each.shared else (name, probe)


def _sample(family: Family, measure: Measure, of_target: str, measurement: Measurement) -> str:
    if not (measure.subject and measurement.subject):
        return sample(family.name, of_target, measurement.value)
    subject = written({measure.subject: measurement.subject})
    return sample(family.name, f"{of_target},{subject}", measurement.value)


def _verdicts(findings: Mapping[Fingerprint, Finding]) -> dict[Fingerprint, Severity]:
    return {name: finding.severity for name, finding in findings.items()}


def _limits(plan: Plan, probe: Probe) -> str:
    text = ""
    tuning = plan.target.probes.get(probe.name)
    for declared in probe.thresholds:
        given = tuning.thresholds.get(declared.measure, Limits()) if tuning else Limits()
        threshold = tuned(declared, given)
        for level, limit in (("warning", threshold.warning), ("critical", threshold.critical)):
            if limit is not None:
                labels = {
                    "target": plan.target.name,
                    "probe": probe.name,
                    "measure": declared.measure,
                    "level": level,
                }
                text += line(THRESHOLD.name, labels, limit)
    return text
