"""Members of a target: reports expected standbys, slots and volumes that are missing.

A missing member produces no rows to alert on: a missing standby shows no lag. Members are the
subjects of measures (replica, slot, channel, volume, member of a cluster), and the role and the
upstream. They are declared (``expects`` of a target) or learned: seen often enough, for long
enough. A blind probe makes no member disappear; a member is missing only if every probe that ever
showed its kind has succeeded without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from probes import Measure, Measurement, Probe, Reading, Target, Text, Threshold
from probes.fleet.members import MemberChange, MemberNotes, Members, Noted, Verb
from probes.fleet.observation import DERIVED, Observation, nothing_to_ask

LEARN_READINGS = 5
"""Readings in which a member must be seen before it is learned."""

MOST_MEMBERS = 200
"""Of one kind on one target; further ones are not learned."""

_PASSING = ("pg_basebackup",)
"""Names of temporary members: a nightly backup streams WAL for an hour."""

_ROLE_MEASURES = ("in_recovery", "is_replica")
"""The measure of an engine's availability probe that is 1 on a replica and 0 on a primary."""

_UPSTREAM_DETAILS = ("upstream", "sender", "source")
"""Where a replica's measurements name its upstream."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of member: ``label`` is the measures' word for the subject."""

    name: str
    label: str
    family: str
    words: Text
    learned_critical: float | None = None  # seconds gone; None: never more than a warning
    witness: str = ""
    """The only probe that lists them all; others with the label know only some, or may be blind."""
    sees_itself: bool = False
    """The server is itself one of them: if it sees none, it is outside and knows nothing about the
    others.
    """

    def shown_by(self, probe: Probe) -> bool:
        """Whether what this probe shows, and does not show, counts."""
        if self.witness:
            return probe.name == self.witness
        return any(measure.subject == self.label for measure in probe.measures)


KINDS = (
    Kind("standby", "replica", "replication", Text("standby"), 300.0),
    Kind("slot", "slot", "replication", Text("replication slot")),
    Kind("channel", "channel", "replication", Text("replication channel"), 60.0),
    Kind(
        "member",
        "member",
        "replication",
        Text("cluster member"),
        300.0,
        sees_itself=True,
    ),
    Kind("volume", "volume", "volume", Text("volume"), 300.0, "volumes"),
)
ROLE, UPSTREAM = "role", "upstream"
PRIMARY = "primary"
SINGLE = (ROLE, UPSTREAM)
"""Kinds of which a target has one: a new value replaces the previous one."""

KIND_NAMES = (*(kind.name for kind in KINDS), *SINGLE)


def _probe_of(kind: Kind) -> Probe:
    declared, learned = f"declared_{kind.name}_missing", f"learned_{kind.name}_missing_seconds"
    named = kind.words.changed(str.capitalize)
    hint = Text(
        "If it was meant to go, run: sigap learn {target} --forget {kind}/{subject}. If not, find "
        "who stopped or dropped it."
    )
    return Probe(
        name=f"expected_{kind.name}s",
        engine=DERIVED,
        question=Text("Is every {words} that belongs here still here?", words=kind.words),
        measures=(
            Measure(declared, "", f"1 when a declared {kind.words.en} is missing.", kind.label),
            Measure(
                learned, "seconds", f"How long a learned {kind.words.en} is missing.", kind.label
            ),
        ),
        thresholds=(
            Threshold(
                declared,
                Text("{target} has lost its {words} {subject}").partly(words=kind.words),
                hint,
                kind.family,
                critical=1.0,
                raise_after=2,
            ),
            Threshold(
                learned,
                Text("{words} {subject} of {target} has been gone for {value}").partly(words=named),
                hint,
                kind.family,
                warning=1.0,
                critical=kind.learned_critical,
                raise_after=2,
                headline=Text("{words} {subject} of {target} is gone").partly(words=named),
            ),
        ),
        read=nothing_to_ask,
    )


PROBES = {kind.name: _probe_of(kind) for kind in KINDS}

_ACCEPT = Text(
    "If this change was meant: `sigap learn {target} --accept`. If not, make sure that only one "
    "primary takes writes."
)

STANDING = Probe(
    name="expected_place",
    engine=DERIVED,
    question=Text("Are the server's role and upstream still what they should be?"),
    measures=(
        Measure("role_changed", "", "1 when the role is not the one learned."),
        Measure("learned_primary_read_only", "", "1 when a learned primary is read-only."),
        Measure("learned_upstream_changed", "", "1 when it follows another server than learned."),
        Measure("declared_upstream_wrong", "", "1 when it does not follow the declared server."),
    ),
    thresholds=(
        Threshold(
            "role_changed",
            Text("{target} changed its role: it was a {expected} and is a {actual} now"),
            _ACCEPT,
            "role",
            critical=1.0,
            raise_after=2,
            absent_clears=False,  # role and upstream come with different readings
        ),
        Threshold(
            "learned_primary_read_only",
            Text("{target} has turned read-only: it was a primary, and it follows nobody"),
            Text(
                "Find out who turned read_only on, and why, before it is turned off. If this "
                "server is meant to be a primary no more: `sigap learn {target} --forget "
                "role/primary`."
            ),
            "role",
            critical=1.0,
            raise_after=2,
            absent_clears=False,  # role and upstream come with different readings
        ),
        Threshold(
            "learned_upstream_changed",
            Text("{target} follows {actual} now, it was {expected}"),
            _ACCEPT,
            "role",
            warning=1.0,
            raise_after=2,
            absent_clears=False,
        ),
        Threshold(
            "declared_upstream_wrong",
            Text("{target} follows {actual} but should follow {expected}"),
            _ACCEPT,
            "role",
            critical=1.0,
            raise_after=2,
            absent_clears=False,  # role and upstream come with different readings
        ),
    ),
    read=nothing_to_ask,
)

DERIVED_PROBES = (*PROBES.values(), STANDING)


def role_of(reading: Reading) -> str:
    """``primary``, ``replica``, or ``""`` when this reading does not show it.

    A server that replicates from nobody and takes no writes is neither: a replica whose
    configuration was lost must not count as a second primary.
    """
    closed = any(m.measure == "read_only" and m.value > 0 for m in reading.measurements)
    for measurement in reading.measurements:
        if measurement.measure in _ROLE_MEASURES:
            if measurement.value > 0:
                return "replica"
            return "" if closed else "primary"
    return ""


def _tells_role(reading: Reading) -> bool:
    return any(m.measure in _ROLE_MEASURES for m in reading.measurements)


def upstream_of(reading: Reading) -> str:
    """The server that a replica follows, if this reading shows exactly one."""
    found = {
        str(measurement.detail[key])
        for measurement in reading.measurements
        for key in _UPSTREAM_DETAILS
        if measurement.detail.get(key) and "?" not in str(measurement.detail[key])
    }
    return found.pop() if len(found) == 1 else ""


@dataclass(slots=True)
class _Sighting:
    readings: int
    first: datetime


@dataclass(slots=True)
class Membership:
    """The members of one target; used by that target's thread."""

    target: str
    notebook: MemberNotes
    learn_after: timedelta
    _shown: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)
    """By kind and probe: the subjects of its newest good reading."""
    _sightings: dict[tuple[str, str], _Sighting] = field(default_factory=dict)
    actual: str = ""
    """The role last seen."""

    def role(self, target: Target) -> str:
        """The role this server should have: declared, else learned, else ``""``."""
        if target.role:
            return target.role
        return next((name for kind, name in self._noted() if kind == ROLE), "")

    def derive(self, own: Observation, *, calm: bool) -> Iterator[Observation]:
        """The readings about membership that follow from a reading of this target.

        ``calm`` False: a maintenance window is on, in which a new role counts as planned.
        """
        if own.reading.failure is not None:
            return
        self.actual = role_of(own.reading) or self.actual
        for kind in KINDS:
            if kind.shown_by(own.probe):
                yield from self._members(own, kind)
        yield from self._place(own, calm)

    def _noted(self) -> Members:
        return self.notebook.of(self.target)

    def _members(self, own: Observation, kind: Kind) -> Iterator[Observation]:
        target, probe, reading = own.plan.target, own.probe, own.reading
        subjects = {m.name for m in probe.measures if m.subject == kind.label}
        shown = frozenset(
            m.subject
            for m in reading.measurements
            if m.measure in subjects and m.subject and m.subject != target.name
        )
        by_probe = self._shown.setdefault(kind.name, {})
        by_probe[probe.name] = shown
        askers = {each.name for each in own.plan.probes if kind.shown_by(each)}
        if not askers <= by_probe.keys():
            return  # another probe may still show what this one does not
        if kind.sees_itself and not shown:
            return
        # a probe that was switched off shows nothing any more
        present: frozenset[str] = frozenset().union(*(by_probe[each] for each in askers))
        self._see_all(kind.name, present, reading.at)
        declared = set(getattr(target.expects, f"{kind.name}s"))
        found = [
            Measurement(f"declared_{kind.name}_missing", float(name not in present), name,
                        {"kind": kind.name})
            for name in sorted(declared)
        ]  # fmt: skip
        demoted = kind.name == "standby" and self.actual == "replica"  # its role is reported then
        for (what, name), noted in self._noted().items():
            if what == kind.name and name not in declared and not demoted:
                seconds = self._gone(what, name, noted, name in present, reading.at)
                found.append(
                    Measurement(f"learned_{what}_missing_seconds", seconds, name, {"kind": what})
                )
        yield own.derive(PROBES[kind.name], found)

    def _place(self, own: Observation, calm: bool) -> Iterator[Observation]:
        target, reading = own.plan.target, own.reading
        found = []
        role = role_of(reading)
        if role and not target.role:
            learned = self._single(ROLE, role, reading.at, relearn=not calm)
            found.append(_compared("role_changed", learned, role))
        if _tells_role(reading) and not target.role:
            closed = not role and self.role(target) == PRIMARY
            found.append(Measurement("learned_primary_read_only", float(closed)))
        upstream = upstream_of(reading)
        if upstream and target.expects.upstream:
            same = _same_server(target.expects.upstream, upstream)
            expected = upstream if same else target.expects.upstream
            found.append(_compared("declared_upstream_wrong", expected, upstream))
        elif upstream:
            learned = self._single(UPSTREAM, upstream, reading.at, relearn=not calm)
            found.append(_compared("learned_upstream_changed", learned, upstream))
        if found:
            yield own.derive(STANDING, found)

    def _single(self, kind: str, actual: str, at: datetime, relearn: bool) -> str:
        """The learned value; records a new one, or that it is different now."""
        noted = {name: each for (what, name), each in self._noted().items() if what == kind}
        if not noted or actual in noted:
            self._see(kind, actual, at)
            if actual in noted and noted[actual].gone_since is not None:
                self._note(Verb.BACK, kind, actual, at)
            return actual
        (expected, each), *_ = noted.items()
        if relearn:
            self._note(Verb.FORGOTTEN, kind, expected, at)
            self._note(Verb.LEARNED, kind, actual, at)
            return actual
        if each.instead != actual:
            self._note(Verb.GONE, kind, expected, at, instead=actual)
        return expected

    def _see_all(self, kind: str, present: frozenset[str], at: datetime) -> None:
        """Count the members seen; a member not seen this time starts again."""
        for key in [k for k in self._sightings if k[0] == kind and k[1] not in present]:
            del self._sightings[key]
        for name in sorted(present):
            if not name.startswith(_PASSING):
                self._see(kind, name, at)

    def _see(self, kind: str, name: str, at: datetime) -> None:
        """Count a sighting; a member seen often and long enough is learned."""
        known = self._noted()
        if (kind, name) in known:
            return
        seen = self._sightings.setdefault((kind, name), _Sighting(0, at))
        seen.readings += 1
        if seen.readings < LEARN_READINGS or at - seen.first < self.learn_after:
            return
        del self._sightings[kind, name]
        if sum(what == kind for what, _ in known) < MOST_MEMBERS:
            self._note(Verb.LEARNED, kind, name, at)

    def _gone(self, kind: str, name: str, noted: Noted, present: bool, at: datetime) -> float:
        """Seconds for which a learned member has been missing; 0: it is there."""
        if present:
            if noted.gone_since is not None:
                self._note(Verb.BACK, kind, name, at)
            return 0.0
        if noted.gone_since is None:
            self._note(Verb.GONE, kind, name, at)
            return 1.0
        return max(1.0, (at - noted.gone_since).total_seconds())

    def _note(self, verb: Verb, kind: str, name: str, at: datetime, instead: str = "") -> None:
        self.notebook.note(MemberChange(self.target, verb, kind, name, at, instead))


def _compared(measure: str, expected: str, actual: str) -> Measurement:
    detail = {"expected": expected, "actual": actual}
    return Measurement(measure, float(expected != actual), detail=detail)


def _same_server(declared: str, actual: str) -> bool:
    """A declared host without a port means any port."""
    return declared in (actual, actual.rpartition(":")[0])
