"""Servers that do not answer, taken together: the agent's network or a host they share.

What several targets have in common is reported before any of them is reported alone. Only silence
counts (no route, no answer within the deadline); a server that refuses was reached. Servers on the
agent's own host say nothing about its network, nor do servers in a maintenance window. Few servers
may well go down together: the agent's network is named for them only if none gives any sign
(decision 14), and then as one of two possibilities. Safe for the threads of all targets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from probes import (
    Evidence,
    Exhibit,
    FailureKind,
    Finding,
    Measure,
    Measurement,
    Probe,
    Reading,
    Severity,
    Target,
    Text,
    Threshold,
    Words,
)
from probes.fleet.observation import DERIVED, NOWHERE, Observation, nothing_to_ask
from probes.fleet.plan import Plan
from probes.i18n.headings import headings
from probes.model import NOTHING_SAID

SILENT = frozenset({FailureKind.TIMEOUT, FailureKind.UNREACHABLE})
"""Kinds of failure of which the way to the server may be the reason."""

RIPE_READINGS = 2
"""Consecutive silent readings, as for a single server's outage."""

MANY_HOSTS = 4
"""So many hosts do not go silent together on their own; fewer may share a rack or a cluster."""

TOGETHER = timedelta(minutes=5)
"""A few targets that went silent further apart than this have no common cause."""

MOST_NAMED = 8
MOST_SHOWN = 50

_LOOK_BETWEEN = Text(
    "{between}: cable, switch, firewall, route, DNS, VPN. From the agent's host: ip route get, "
    "ping the gateway, then one server. The servers themselves need not be in trouble: ask from "
    "another host before touching any of them."
)

_MOST = Text("most of its servers")
_NONE = Text("any of its servers")
_DOUBT = Text("; they are down, or the agent's network is")
_BETWEEN = Text("What they have in common lies between the agent and them")
_EITHER = Text(
    "Either these went down together (power, hypervisor, storage), or what is cut lies between the "
    "agent and them"
)

_MUTE = {
    "whole": Text("does not answer with any of its servers"),
    "state": Text("does not answer: none"),
    "look": Text(
        "Look at that host first, not at each of its servers: power, console, hypervisor, its "
        "network, then its storage."
    ),
}
_ALIVE = {
    "whole": Text("takes connections, but none of its servers answers"),
    "state": Text("takes connections, but none"),
    "look": Text(
        "Look at that host's storage first (processes in state D), then at its memory and at "
        "stopped processes (state T); the host itself is alive and its network works."
    ),
}
"""Of a host none of whose servers answers: whether its kernel still takes connections."""

PROBE = Probe(
    name="reach",
    engine=DERIVED,
    question=Text(
        "Have the servers that do not answer a cause in common: the agent's network or a host?"
    ),
    measures=(
        Measure(
            "agent_unreached_targets",
            "",
            "Servers on other hosts that do not answer, when most do not.",
        ),
        Measure(
            "host_unreached_targets", "", "Servers of one host that do not answer, when none does."
        ),
    ),
    thresholds=(
        Threshold(
            "agent_unreached_targets",
            Text("Agent {target} cannot reach {value} of {all} servers: {names}{doubt}"),
            _LOOK_BETWEEN,
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text("Agent {target} cannot reach {which}{doubt}"),
        ),
        Threshold(
            "host_unreached_targets",
            Text("Host {target} {state} of its {value} servers answers: {names}"),
            Text("{look}"),
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text("Host {target} {whole}"),
        ),
    ),
    read=nothing_to_ask,
)


_MEASURES = frozenset(measure.name for measure in PROBE.measures)


@dataclass(slots=True)
class _LastSeen:
    """One target as last seen from here."""

    target: Target
    at: datetime | None = None
    fresh_until: datetime | None = None
    silent: int = 0  # readings in a row
    since: datetime | None = None  # the first of these
    kind: str = ""  # of the last failure, whatever it is; empty: it answered
    reached: bool = False  # accepted a connection since it went silent: frozen, not cut off
    announced: bool = False  # a maintenance window is on for it


class Reachability:
    """Which targets answer this agent."""

    def __init__(self, agent: str = "") -> None:
        self._agent = agent
        self._lock = threading.Lock()
        self._seats: dict[str, _LastSeen] = {}
        self._machines: dict[str, list[_LastSeen]] = {}
        self._counted: set[str] = set()  # targets that were seen, and not in maintenance
        self._silent: set[str] = set()  # of these, those that gave no answer
        self._raised: set[str] = set()  # the agent or the hosts with a finding that is not clear
        self._due: dict[str, datetime] = {}  # when the agent or a host is looked at again

    def restore(self, name: str) -> None:
        """The desk has a finding open on the agent or on a host at the start."""
        with self._lock:
            self._raised.add(name)

    def judged(self, findings: Iterable[Finding]) -> None:
        """Record the verdicts on what was derived here; they decide when an outage ends."""
        with self._lock:
            for finding in findings:
                if finding.probe == PROBE.name and finding.measure in _MEASURES:
                    raised = finding.severity > Severity.CLEAR
                    (self._raised.add if raised else self._raised.discard)(finding.target)

    def machines(self) -> frozenset[str]:
        """The names under which something can be derived: the agent and the targets' hosts."""
        with self._lock:
            return frozenset(map(_named, (self._agent, *self._machines)))

    def take_seats(self, targets: Iterable[Target]) -> None:
        """Monitor exactly these targets from now on; known states are kept."""
        with self._lock:
            before = self._seats
            self._seats = {}
            for target in targets:
                if target.host:
                    continue
                seat = before.get(target.name)
                if seat is None or seat.target.address != target.address:
                    seat = _LastSeen(target)
                seat.target = target
                self._seats[target.name] = seat
            self._machines = {}
            for seat in self._seats.values():
                self._machines.setdefault(seat.target.machine, []).append(seat)
            self._counted &= self._seats.keys()
            self._silent &= self._seats.keys()

    def derive(self, own: Observation, *, announced: bool) -> list[Observation]:
        """What one target's reading of ``up`` means for several targets.

        All targets are checked only where a verdict could change, and once an interval, because
        this runs at every reading of a thousand targets.
        """
        with self._lock:
            seat = self._seats.get(own.target.name)
            if seat is None:
                return []
            changed = self._seat(seat, own, announced=announced)
            found: list[Observation] = []
            # the seat's host: a reload may have moved the target since this reading began
            agent, machine = self._agent, seat.target.machine
            most = 2 * len(self._silent) > len(self._counted)
            if self._is_due(agent, own, matters=changed and most):
                seats = self._fresh(self._seats.values(), own.reading.at)
                bad = _beyond_us(seats, stands=_named(agent) in self._raised)
                found += self._observed(agent, "agent_unreached_targets", seats, own, bad=bad)
            several = machine and len(self._machines[machine]) > 1
            matters = several or _named(machine) in self._raised
            if (
                matters
                and _named(agent) not in self._raised
                and self._is_due(machine, own, matters=changed)
            ):
                there = self._fresh(self._machines[machine], own.reading.at)
                found += self._observed(
                    machine, "host_unreached_targets", there, own, bad=_whole_host(there)
                )
            return found

    def _seat(self, seat: _LastSeen, own: Observation, *, announced: bool) -> bool:
        """Record a reading; returns whether it could change a verdict."""
        reading, failure = own.reading, own.reading.failure
        silent = failure is not None and failure.kind in SILENT
        seat.silent = seat.silent + 1 if silent else 0
        seat.since = (seat.since or reading.at) if silent else None
        seat.kind = str(failure.kind) if failure is not None else ""
        # A frozen server takes connections until its queue is full; it was reached all the same.
        seat.reached = silent and (seat.reached or (failure is not None and failure.reached))
        seat.at, seat.announced = reading.at, announced
        seat.fresh_until = reading.at + timedelta(seconds=own.stale_after)
        return self._count(own.target.name, seat) or seat.silent == RIPE_READINGS

    def _count(self, name: str, seat: _LastSeen) -> bool:
        """Keep the two sets; whether the target joined or left one of them."""
        before = (name in self._counted, name in self._silent)
        now = (not seat.announced, not seat.announced and seat.silent > 0)
        for names, holds in zip((self._counted, self._silent), now, strict=True):
            (names.add if holds else names.discard)(name)
        return now != before

    def _is_due(self, name: str, own: Observation, *, matters: bool) -> bool:
        at, interval = own.reading.at, timedelta(seconds=own.plan.interval)
        due = self._due.get(name)
        # A clock that was set back by hours must not silence this for as long.
        if matters or due is None or not at < due <= at + interval:
            self._due[name] = at + 0.9 * interval
            return True
        return False

    def patience(self, target: str, interval_seconds: float, deadline_seconds: float) -> float:
        """How long to delay a silent target's own report because others may be silent as well:
        until running readings end or, of a few hosts, until their second reading; 0: it is alone,
        or the common cause is already reported.
        """
        with self._lock:
            seat = self._seats.get(target)
            if seat is None or seat.since is None or seat.at is None:
                return 0.0
            seats = self._fresh(self._seats.values(), seat.at)
            stands = _named(self._agent) in self._raised
            if _beyond_us(seats, stands=stands):
                return 0.0
            unread = {
                each.target.name
                for each in seats
                if not each.silent and each.at is not None and each.at < seat.since
            }
            if unread and _beyond_us(seats, unread, stands=stands):
                return deadline_seconds
            half = {each.target.name for each in seats if 0 < each.silent < RIPE_READINGS}
            return interval_seconds if _beyond_us(seats, unread | half, stands=stands) else 0.0

    def collect(self) -> Iterator[Metric]:
        """How many servers are silent, for /metrics."""
        with self._lock:
            count = sum(seat.silent > 0 for seat in self._seats.values())
        yield GaugeMetricFamily(
            "sigap_agent_silent_targets",
            "Servers on other hosts that could not be reached, or gave no answer, when last asked.",
            value=count,
        )

    def _fresh(self, seats: Iterable[_LastSeen], at: datetime) -> list[_LastSeen]:
        return [
            seat
            for seat in seats
            if seat.fresh_until is not None and at <= seat.fresh_until and not seat.announced
        ]

    def _observed(
        self, name: str, measure: str, seats: Sequence[_LastSeen], own: Observation, *, bad: bool
    ) -> list[Observation]:
        silent = [seat for seat in seats if seat.silent]
        if bad and all(seat.silent < RIPE_READINGS for seat in silent):
            return []  # a blip, or the first round of an outage: neither raised nor clear
        names = _listed(sorted(seat.target.name for seat in silent))
        detail = {"names": names, "all": len(seats), **_words(silent, seats)}
        value = float(len(silent)) if bad else 0.0
        whole = _as_target(name, self._agent, silent or seats)
        at = own.ended_at
        reading = Reading(
            whole.name, PROBE.name, at, 0.0, (Measurement(measure, value, detail=detail),)
        )
        plan = Plan(whole, (PROBE,), own.plan.interval, own.plan.deadline)
        evidence = _evidence(seats, at) if bad else None
        return [Observation(plan, PROBE, reading, whole, own, shared=True, evidence=evidence)]


def _named(name: str) -> str:
    return name.replace("/", "-")  # slashes separate the parts of a fingerprint


def _listed(names: Sequence[str]) -> str:
    """The names, or the first of them and how many more."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" (+{more})" if more > 0 else "")


def _beyond_us(
    seats: Sequence[_LastSeen], unsure: Collection[str] = (), *, stands: bool = False
) -> bool:
    """Whether the silent targets point to the network between the agent and them.

    ``unsure``: counted as silent because it is not known yet; ``stands``: already reported. Of many
    hosts most must be silent. Of a few, all must be silent, without any sign of life, and since
    about the same time: a single one that answers, refuses or accepts a connection shows that the
    agent's network works and that the others have their own fault. Whether a target accepts
    connections is known from the second reading on, because the first may have used an open
    session.
    """
    silent = [seat for seat in seats if seat.silent or seat.target.name in unsure]
    dark = {_host_of(seat) for seat in silent}
    # the first one that is back does not end it
    if len(dark) >= (MANY_HOSTS - 1 if stands else MANY_HOSTS):
        lit = {_host_of(seat) for seat in seats} - dark
        return len(dark) > len(lit) and 2 * len(silent) > len(seats)
    if len(dark) < 2 or len(silent) < len(seats) or any(seat.reached for seat in silent):
        return False
    if stands:
        return True  # one that answers in between and is silent again does not end it
    sure = [seat for seat in silent if seat.target.name not in unsure]
    if any(seat.silent < RIPE_READINGS for seat in sure):
        return False
    newest = max(seat.since for seat in silent if seat.since is not None)
    lately = [seat for seat in silent if seat.since is None or newest - seat.since <= TOGETHER]
    return len({_host_of(seat) for seat in lately}) > 1


def _host_of(seat: _LastSeen) -> str:
    return seat.target.machine or seat.target.name


def _words(silent: Sequence[_LastSeen], seats: Sequence[_LastSeen]) -> Mapping[str, Text]:
    """What is known of the agent's way to them, and of the host they may share.

    Of a few silent hosts it cannot be seen from here whether they or the network are down.
    """
    few = len({_host_of(seat) for seat in silent}) < MANY_HOSTS
    return {
        "which": _NONE if few and len(silent) == len(seats) else _MOST,
        "doubt": _DOUBT if few else NOTHING_SAID,
        "between": _EITHER if few else _BETWEEN,
        **(_ALIVE if any(seat.reached for seat in silent) else _MUTE),
    }


def _whole_host(seats: Sequence[_LastSeen]) -> bool:
    return len(seats) > 1 and all(seat.silent for seat in seats)


def _as_target(name: str, agent: str, seats: Sequence[_LastSeen]) -> Target:
    """The agent or the host in the place of a target, so that a finding can be about it."""

    def common(of: Callable[[Target], str]) -> str:
        named = {of(seat.target) for seat in seats}
        return named.pop() if len(named) == 1 else ""

    return Target(
        name=_named(name),
        engine=common(lambda target: target.engine),
        address=NOWHERE,
        application=common(lambda target: target.application),
        agency=common(lambda target: target.agency),
        machine=common(lambda target: target.machine),
        agent=agent,
    )


_WHO = Text("Who answers this agent")
_SHOWN = Text("{shown} of {all}")


def _evidence(seats: Sequence[_LastSeen], at: datetime) -> Evidence:
    """Every target as last seen, which names the ones that still answer."""
    rows = tuple(
        (
            seat.target.name,
            seat.target.machine or seat.target.address.host,
            seat.kind or "ok",
            seat.since.isoformat(timespec="seconds") if seat.since else "",
        )
        for seat in sorted(seats, key=lambda each: (not each.silent, each.target.name))[:MOST_SHOWN]
    )
    note: Words = ""
    if len(rows) < len(seats):
        note = _SHOWN.format(shown=len(rows), all=len(seats))
    table = Exhibit(_WHO, headings("target", "host", "state", "since"), rows, note)
    return Evidence(at, (table,))
