"""Why: a network that fails between the agent and everybody looks, to each target, like that
target's own outage; so does a host that goes down with several servers on it.

Promise: what the targets have in common (the agent that asks, the host they run on) is judged from
all of them together, and told before any of them is told alone. Only silence counts (no route, no
answer within our deadline): who refuses or rejects us was reached. Servers on the agent's own host
prove nothing about its network, nor do those in a maintenance window. Safe for all threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from agent.membership import DERIVED, nothing_to_ask
from probes import (
    Address,
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
)
from probes.judge import Judge, Recalled

SILENT = frozenset({FailureKind.TIMEOUT, FailureKind.UNREACHABLE})
"""Kinds of failure of which the way to the server may be the reason."""

RIPE_READINGS = 2
"""Silent at so many readings in a row, as for a single server's outage."""

MOST_NAMED = 8
MOST_SHOWN = 50

_NOWHERE = Address("", 0, "")

_LOOK_BETWEEN = Text(
    "Yang sama bagi semuanya ada di antara agen dan server itu: kabel, switch, firewall, rute, "
    "DNS, VPN. Dari host agen: ip route get, ping gerbang, lalu satu server. "
    "Server-server itu sendiri belum tentu terganggu: tanyakan dari host lain dahulu.",
    "What they have in common lies between the agent and them: cable, switch, firewall, route, "
    "DNS, VPN. From the agent's host: ip route get, ping the gateway, then one server. The servers "
    "themselves need not be in trouble: ask from another host before touching any of them.",
)

PROBE = Probe(
    name="reach",
    engine=DERIVED,
    question=Text(
        "Apakah server yang tidak menjawab mempunyai sebab bersama: jaringan agen atau host?",
        "Have the servers that do not answer a cause in common: the agent's network or a host?",
    ),
    measures=(
        Measure("agent_unreached_targets", "", "Servers on other hosts, when most do not answer."),
        Measure("host_unreached_targets", "", "Servers of one host, when none of them answers."),
    ),
    thresholds=(
        Threshold(
            "agent_unreached_targets",
            Text(
                "Agen {target} tidak dapat menjangkau {value} dari {all} server: {names}",
                "Agent {target} cannot reach {value} of {all} servers: {names}",
            ),
            _LOOK_BETWEEN,
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text(
                "Agen {target} tidak dapat menjangkau sebagian besar server",
                "Agent {target} cannot reach most of its servers",
            ),
        ),
        Threshold(
            "host_unreached_targets",
            Text(
                "Host {target} tidak menjawab: tak satu pun dari {value} server di sana ({names})",
                "Host {target} does not answer: none of its {value} servers ({names})",
            ),
            Text(
                "Periksa host itu dahulu, bukan tiap servernya: listrik, konsol, hypervisor, "
                "jaringannya, lalu penyimpanannya.",
                "Look at that host first, not at each of its servers: power, console, hypervisor, "
                "its network, then its storage.",
            ),
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text(
                "Host {target} tidak menjawab dengan semua servernya",
                "Host {target} does not answer with any of its servers",
            ),
        ),
    ),
    read=nothing_to_ask,
)


@dataclass(slots=True)
class _Seat:
    """One target as last seen from here."""

    target: Target
    at: datetime | None = None
    fresh_for: timedelta = timedelta()
    silent: int = 0  # readings in a row
    since: datetime | None = None  # the first of these
    kind: str = ""  # of the last failure, whatever it is; empty: it answered
    announced: bool = False  # a maintenance window is on for it


class Reach:
    """Who answers this agent, over all its targets."""

    def __init__(self, agent: str = "") -> None:
        self._agent = agent
        self._lock = threading.Lock()
        self._seats: dict[str, _Seat] = {}
        self._machines: dict[str, list[_Seat]] = {}
        self._counted: set[str] = set()  # targets that were seen, and not in maintenance
        self._silent: set[str] = set()  # of these, those that gave no answer
        self._raised: set[str] = set()  # the agent or the hosts of which trouble stands
        self._judged_at: dict[str, datetime] = {}
        self._judge = Judge()

    def recall(self, name: str, troubles: Iterable[Recalled]) -> None:
        """What the desk has open of the agent or a host at the start."""
        with self._lock:
            self._raised.add(name)
            self._judge.recall(name, troubles)

    def take_seats(self, targets: Iterable[Target]) -> None:
        """Exactly these targets are watched from now on; what is known of them stays."""
        with self._lock:
            before = self._seats
            self._seats = {}
            for target in targets:
                if target.host:
                    continue
                seat = before.get(target.name)
                if seat is None or seat.target.address != target.address:
                    seat = _Seat(target)
                seat.target = target
                self._seats[target.name] = seat
            self._machines = {}
            for seat in self._seats.values():
                self._machines.setdefault(seat.target.machine, []).append(seat)
            self._counted &= self._seats.keys()
            self._silent &= self._seats.keys()

    def observe(
        self, target: Target, reading: Reading, interval_seconds: float, *, announced: bool
    ) -> list[Finding]:
        """One target's newest reading of ``up``; returns what is common to several.

        All targets are gone through only where that could change a verdict, and once an interval:
        this is asked at every reading of a thousand targets.
        """
        with self._lock:
            seat = self._seats.get(target.name)
            if seat is None:
                return []
            failure = reading.failure
            silent = failure is not None and failure.kind in SILENT
            seat.silent = seat.silent + 1 if silent else 0
            seat.since = (seat.since or reading.at) if silent else None
            seat.kind = str(failure.kind) if failure is not None else ""
            seat.at, seat.announced = reading.at, announced
            seat.fresh_for = timedelta(seconds=3 * interval_seconds)
            changed = self._count(target.name, seat) or seat.silent == RIPE_READINGS
            interval = timedelta(seconds=0.9 * interval_seconds)
            found: list[Finding] = []
            most = 2 * len(self._silent) > len(self._counted)
            if self._is_due(self._agent, changed and most, reading.at, interval):
                seats = self._fresh(self._seats.values(), reading.at)
                bad = _beyond_us(seats)
                found += self._judged(
                    self._agent, "agent_unreached_targets", seats, reading.at, bad=bad
                )
            machine = target.machine
            several = machine and len(self._machines[machine]) > 1
            matters = (several or machine in self._raised) and self._agent not in self._raised
            if matters and self._is_due(machine, changed, reading.at, interval):
                there = self._fresh(self._machines[machine], reading.at)
                found += self._judged(
                    machine, "host_unreached_targets", there, reading.at, bad=_whole_host(there)
                )
            return found

    def _count(self, name: str, seat: _Seat) -> bool:
        """Keep the two sets; whether the target joined or left one of them."""
        before = (name in self._counted, name in self._silent)
        now = (not seat.announced, not seat.announced and seat.silent > 0)
        for names, holds in zip((self._counted, self._silent), now, strict=True):
            (names.add if holds else names.discard)(name)
        return now != before

    def _is_due(self, name: str, matters: bool, at: datetime, interval: timedelta) -> bool:
        last = self._judged_at.get(name)
        due = matters or last is None or at - last >= interval
        if due:
            self._judged_at[name] = at
        return due

    def is_open(self, target: str) -> bool:
        """Whether readings under way may still show that a silent target is not alone."""
        with self._lock:
            seat = self._seats.get(target)
            if seat is None or seat.since is None or seat.at is None:
                return False
            seats = self._fresh(self._seats.values(), seat.at)
            if _beyond_us(seats):
                return False
            unread = [e for e in seats if not e.silent and e.at is not None and e.at < seat.since]
            silent = [each for each in seats if each.silent]
            most = 2 * (len(silent) + len(unread)) > len(seats)
            return bool(unread) and most

    def collect(self) -> Iterator[Metric]:
        """How many servers are silent, for /metrics."""
        with self._lock:
            count = sum(seat.silent > 0 for seat in self._seats.values())
        yield GaugeMetricFamily(
            "sigap_agent_silent_targets",
            "Servers on other hosts that could not be reached, or gave no answer, when last asked.",
            value=count,
        )

    def _fresh(self, seats: Iterable[_Seat], at: datetime) -> list[_Seat]:
        return [
            seat
            for seat in seats
            if seat.at is not None and at - seat.at <= seat.fresh_for and not seat.announced
        ]

    def _judged(
        self, name: str, measure: str, seats: Sequence[_Seat], at: datetime, *, bad: bool
    ) -> list[Finding]:
        silent = [seat for seat in seats if seat.silent]
        if bad and all(seat.silent < RIPE_READINGS for seat in silent):
            return []  # a blip, or the first round of an outage: no word yet, and no all-clear
        names = _listed(sorted(seat.target.name for seat in silent))
        detail = {"names": names, "all": len(seats)}
        value = float(len(silent)) if bad else 0.0
        whole = _as_target(name, self._agent, silent or seats)
        reading = Reading(
            whole.name, PROBE.name, at, 0.0, (Measurement(measure, value, detail=detail),)
        )
        findings = self._judge.assess(whole, PROBE, reading).findings
        for finding in findings:
            if finding.measure == measure:
                raised = finding.severity > Severity.CLEAR
                (self._raised.add if raised else self._raised.discard)(name)
        # Of the other measure and of sight nothing was asked here.
        return [_with_evidence(each, seats, at) for each in findings if each.measure == measure]


def _listed(names: Sequence[str]) -> str:
    """The names, or the first of them and how many more."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" (+{more})" if more > 0 else "")


def _beyond_us(seats: Sequence[_Seat]) -> bool:
    """Most do not answer, and not of one host only: the fault is between the agent and them."""
    silent = [seat for seat in seats if seat.silent]
    hosts = {seat.target.machine or seat.target.name for seat in silent}
    return len(hosts) > 1 and 2 * len(silent) > len(seats)


def _whole_host(seats: Sequence[_Seat]) -> bool:
    return len(seats) > 1 and all(seat.silent for seat in seats)


def _as_target(name: str, agent: str, seats: Sequence[_Seat]) -> Target:
    """The agent or the host in the place of a target, so that a finding can be about it."""

    def common(of: Callable[[Target], str]) -> str:
        named = {of(seat.target) for seat in seats}
        return named.pop() if len(named) == 1 else ""

    return Target(
        name=name.replace("/", "-"),  # a fingerprint's parts are parted by slashes
        engine=common(lambda target: target.engine),
        address=_NOWHERE,
        application=common(lambda target: target.application),
        agency=common(lambda target: target.agency),
        machine=common(lambda target: target.machine),
        agent=agent,
    )


_WHO = Text("Siapa yang menjawab agen ini", "Who answers this agent")


def _with_evidence(finding: Finding, seats: Sequence[_Seat], at: datetime) -> Finding:
    """The same with every target as last seen, which names the ones that still answer."""
    if finding.severity is Severity.CLEAR:
        return finding
    rows = tuple(
        (
            seat.target.name,
            seat.target.machine or seat.target.address.host,
            seat.kind or "ok",
            seat.since.isoformat(timespec="seconds") if seat.since else "",
        )
        for seat in sorted(seats, key=lambda each: (not each.silent, each.target.name))[:MOST_SHOWN]
    )
    note = f"{len(rows)} of {len(seats)}" if len(rows) < len(seats) else ""
    table = Exhibit(_WHO, ("target", "host", "state", "since"), rows, note)
    return replace(finding, evidence=Evidence(at, (table,)))
