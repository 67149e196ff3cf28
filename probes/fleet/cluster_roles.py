"""The roles of a cluster's servers, taken together: two primaries, none, a strayed replica.

A verdict is made from the roles of all watched targets of a cluster while they are fresh. A server
that is down makes "no primary" unknown, not true: its own outage is reported already. Clusters
where several servers take writes by design (Galera, circular replication) are known by the roles
that were declared or learned: only more primaries than expected are too many. Safe for the threads
of all targets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from probes import Evidence, Exhibit, Measure, Measurement, Probe, Reading, Target, Text, Threshold
from probes.fleet.observation import DERIVED, NOWHERE, Observation, nothing_to_ask
from probes.fleet.plan import Plan
from probes.i18n.headings import headings

MOST_SHOWN = 50
"""Servers of a cluster that are listed as evidence."""

POOLER = "pooler"
"""The role of a pooler in front of a cluster's servers."""

PROBE = Probe(
    name="cluster_roles",
    engine=DERIVED,
    question=Text("Does the cluster have just one primary?"),
    measures=(
        Measure("cluster_surplus_primaries", "", "Primaries in excess of those expected."),
        Measure("cluster_has_primary", "", "1 when some server of the cluster is a primary."),
        Measure("cluster_strayed_replicas", "", "Replicas on another timeline than the primary."),
    ),
    thresholds=(
        Threshold(
            "cluster_surplus_primaries",
            Text("Cluster {target} has more than one primary: {names}"),
            Text(
                "Stop writes to one of them now: every transaction makes the data diverge further. "
                "Decide which primary is the right one, then rebuild the other."
            ),
            "role",
            critical=1.0,
            raise_after=2,
            absent_clears=False,
        ),
        Threshold(
            "cluster_has_primary",
            Text("Cluster {target} has no primary: {names} are all replicas"),
            Text(
                "No server takes writes. Promote the most recent replica by the procedure, once it "
                "is certain that the old primary does not come back by itself."
            ),
            "role",
            critical=0.0,
            above=False,
            raise_after=2,
            absent_clears=False,
        ),
        Threshold(
            "cluster_strayed_replicas",
            Text(
                "Cluster {target}: {names} is no copy of {primary} any more: timeline {theirs}, "
                "while {primary} writes timeline {its}"
            ),
            Text(
                "It did not follow a failover, or its history has forked. Do not promote it. Read "
                "its log (requested timeline, forked off) and point primary_conninfo at the right "
                "primary; if it has forked: pg_rewind, or rebuild it."
            ),
            "role",
            critical=1.0,
            raise_after=4,  # a replica takes some seconds to follow a promotion
            absent_clears=False,
            headline=Text("Cluster {target}: {names} is no copy of {primary} any more"),
        ),
    ),
    read=nothing_to_ask,
)


@dataclass(slots=True)
class _Member:
    """One target's place in its cluster."""

    target: Target
    expected: str = ""  # the role it should have: declared or learned
    actual: str = ""  # "": not known
    at: datetime | None = None
    fresh_until: datetime | None = None
    timeline: int | None = None
    timeline_until: datetime | None = None

    def is_fresh(self, at: datetime) -> bool:
        return bool(self.actual) and self.fresh_until is not None and at <= self.fresh_until


class ClusterRoles:
    """The roles of all targets, by cluster."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seats: dict[str, dict[str, _Member]] = {}
        self._due: dict[str, datetime] = {}  # when a cluster is looked at again

    def clusters(self) -> frozenset[str]:
        """The names under which something can be derived."""
        with self._lock:
            return frozenset(map(_named, self._seats))

    def take_seats(self, targets: Iterable[Target]) -> None:
        """Monitor exactly these targets from now on; known roles are kept."""
        with self._lock:
            before = {name: seat for seats in self._seats.values() for name, seat in seats.items()}
            self._seats = {}
            for target in targets:
                if not target.cluster or target.role == POOLER:
                    continue  # a pooler is neither primary nor replica, and replicates nothing
                seat = before.get(target.name)
                if seat is None or seat.target.cluster != target.cluster:
                    seat = _Member(target)
                seat.target = target
                self._seats.setdefault(target.cluster, {})[target.name] = seat

    def note_timeline(self, own: Observation) -> None:
        """The timeline a server is on, if this reading shows one."""
        for measurement in own.reading.measurements:
            if measurement.measure != "timeline":
                continue
            with self._lock:
                seat = self._seats.get(own.target.cluster, {}).get(own.target.name)
                if seat is not None:
                    seat.timeline = int(measurement.value)
                    seat.timeline_until = own.reading.at + timedelta(seconds=own.stale_after)

    def derive(self, own: Observation, expected: str, actual: str) -> list[Observation]:
        """What one target's role, as just read, means for its cluster; once an interval.

        ``expected``: the role it should have; ``actual`` empty: its role could not be read.
        """
        at, interval = own.reading.at, timedelta(seconds=own.plan.interval)
        with self._lock:
            seats = self._seats.get(own.target.cluster, {})
            seat = seats.get(own.target.name)
            if seat is None:
                return []
            seat.expected, seat.actual, seat.at = expected, actual, at
            seat.fresh_until = at + timedelta(seconds=own.stale_after)
            due = self._due.get(own.target.cluster)
            # A clock that was set back by hours must not silence this for as long.
            if due is not None and at < due <= at + interval:
                return []
            self._due[own.target.cluster] = at + 0.9 * interval
            cluster = _as_target(seats)
            found = tuple(_measured(seats, at))
            plan = Plan(cluster, (PROBE,), own.plan.interval, own.plan.deadline)
            reading = Reading(cluster.name, PROBE.name, own.ended_at, 0.0, found)
            members = tuple(each.target for each in seats.values())
            return [
                Observation(
                    plan,
                    PROBE,
                    reading,
                    cluster,
                    own,
                    shared=True,
                    members=members,
                    evidence=_evidence(seats, own.ended_at) if _is_bad(found) else None,
                )
            ]

    def partners(self, target: Target, most: int = 2) -> list[str]:
        """The other ends of a target's replication: a replica's primary, a primary's replicas."""
        with self._lock:
            seats = self._seats.get(target.cluster, {}) if target.cluster else {}
            mine = seats.get(target.name)
            role = mine.actual or mine.expected if mine else ""
            wanted = "primary" if role == "replica" else "replica"
            others = [seat for name, seat in seats.items() if name != target.name]
            right = [s.target.name for s in others if (s.actual or s.expected) == wanted]
            same = [s.target.name for s in others if s.target.engine == target.engine]
            return [name for name in (right or same) if name in same][:most]

    def leader(self, target: Target) -> str:
        """Which other server of its cluster is known to be a primary; empty: none is."""
        with self._lock:
            seats = self._seats.get(target.cluster, {}) if target.cluster else {}
            others = (seat for name, seat in sorted(seats.items()) if name != target.name)
            known = (s.target.name for s in others if (s.actual or s.expected) == "primary")
            return next(known, "")

    def collect(self) -> Iterator[Metric]:
        """How many primaries each cluster has, for /metrics."""
        family = GaugeMetricFamily(
            "sigap_cluster_primaries",
            "Primaries of the cluster, as last read.",
            labels=["cluster"],
        )
        with self._lock:
            for cluster, seats in sorted(self._seats.items()):
                if any(seat.actual for seat in seats.values()):
                    count = sum(seat.actual == "primary" for seat in seats.values())
                    family.add_metric([cluster], count)
        yield family


def _measured(seats: dict[str, _Member], at: datetime) -> Iterator[Measurement]:
    fresh = {name: seat.actual for name, seat in seats.items() if seat.is_fresh(at)}
    primaries = sorted(name for name, role in fresh.items() if role == "primary")
    expected = sum(seat.expected == "primary" for seat in seats.values())
    surplus = len(primaries) - max(1, expected)
    # Before its role is learned, a server that takes writes may do so by design (Galera).
    known = all(seats[name].expected for name in primaries)
    if known and (len(fresh) == len(seats) or surplus > 0):
        yield Measurement(
            "cluster_surplus_primaries",
            float(max(0, surplus)),
            detail={"names": ", ".join(primaries)},
        )
    if expected and len(fresh) == len(seats):
        yield Measurement(
            "cluster_has_primary",
            float(bool(primaries)),
            detail={"names": ", ".join(sorted(fresh))},
        )
    if len(primaries) == 1:
        yield from _strayed(seats, fresh, primaries[0], at)


def _strayed(
    seats: dict[str, _Member], fresh: dict[str, str], primary: str, at: datetime
) -> Iterator[Measurement]:
    """Replicas on another timeline; nothing unless the primary's and one of theirs are known."""
    known = {
        name: seat.timeline
        for name, seat in seats.items()
        if name in fresh
        and seat.timeline is not None
        and seat.timeline_until is not None
        and at <= seat.timeline_until
    }
    its = known.pop(primary, None)
    theirs = {name: each for name, each in known.items() if fresh[name] == "replica"}
    if its is None or not theirs:
        return
    strayed = sorted(name for name, each in theirs.items() if each != its)
    yield Measurement(
        "cluster_strayed_replicas",
        float(len(strayed)),
        detail={
            "names": ", ".join(strayed),
            "primary": primary,
            "its": its,
            "theirs": ", ".join(sorted({str(theirs[name]) for name in strayed})),
        },
    )


def _as_target(seats: dict[str, _Member]) -> Target:
    """The cluster in the place of a target, so that a finding can be about it."""
    first = next(iter(seats.values())).target
    return Target(
        name=_named(first.cluster),
        engine=first.engine,
        address=NOWHERE,
        cluster=first.cluster,
        application=first.application,
        agency=first.agency,
    )


def _named(cluster: str) -> str:
    return cluster.replace("/", "-")  # slashes separate the parts of a fingerprint


def _is_bad(found: Iterable[Measurement]) -> bool:
    return any(each.value != (each.measure == "cluster_has_primary") for each in found)


_ROLES = Text("Roles of this cluster's servers")


def _evidence(seats: dict[str, _Member], at: datetime) -> Evidence:
    """Every server of the cluster as last seen."""
    rows = tuple(
        (
            name,
            seat.actual if seat.is_fresh(at) else "?",
            seat.expected,
            "" if seat.timeline is None else str(seat.timeline),
            seat.at.isoformat(timespec="seconds") if seat.at else "",
        )
        for name, seat in sorted(seats.items())[:MOST_SHOWN]
    )
    columns = headings("target", "role", "expected", "timeline", "at")
    return Evidence(at, (Exhibit(_ROLES, columns, rows),))
