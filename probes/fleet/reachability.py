"""Why: a network that fails between the agent and everybody looks, to each target, like that
target's own outage; so does a host that goes down with several servers on it.

Promise: what the targets have in common (the agent that asks, the host they run on) is judged from
all of them together, and told before any of them is told alone. Only silence counts (no route, no
answer within our deadline): who refuses or rejects us was reached. Servers on the agent's own host
prove nothing about its network, nor do those in a maintenance window. Few servers may well go down
together; the agent's network is named for them only when none gives any sign (decision 14), and
then as one of two possibilities. Safe for all threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

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
    Words,
)
from probes.fleet.membership import DERIVED, nothing_to_ask
from probes.judge import Judge, Recalled
from probes.model import NOTHING_SAID

SILENT = frozenset({FailureKind.TIMEOUT, FailureKind.UNREACHABLE})
"""Kinds of failure of which the way to the server may be the reason."""

RIPE_READINGS = 2
"""Silent at so many readings in a row, as for a single server's outage."""

MANY_HOSTS = 4
"""So many do not go silent together of themselves; fewer may share a rack or a cluster."""

TOGETHER = timedelta(minutes=5)
"""Few that went silent further apart than this did not do so for one reason."""

MOST_NAMED = 8
MOST_SHOWN = 50

_NOWHERE = Address("", 0, "")

_LOOK_BETWEEN = Text(
    "{between}: kabel, switch, firewall, rute, DNS, VPN. Dari host agen: ip route get, ping "
    "gerbang, lalu satu server. Server-server itu sendiri belum tentu terganggu: tanyakan dari "
    "host lain dahulu.",
    "{between}: cable, switch, firewall, route, DNS, VPN. From the agent's host: ip route get, "
    "ping the gateway, then one server. The servers themselves need not be in trouble: ask from "
    "another host before touching any of them.",
)

_MOST = Text("sebagian besar server", "most of its servers")
_NONE = Text("satu pun server", "any of its servers")
_DOUBT = Text(
    "; semuanya mati, atau jaringan agen terputus", "; they are down, or the agent's network is"
)
_BETWEEN = Text(
    "Yang sama bagi semuanya ada di antara agen dan server itu",
    "What they have in common lies between the agent and them",
)
_EITHER = Text(
    "Server-server ini mati bersama (listrik, hypervisor, penyimpanan), atau yang terputus ada di "
    "antara agen dan server itu",
    "Either these went down together (power, hypervisor, storage), or what is cut lies between the "
    "agent and them",
)

_MUTE = {
    "whole": Text(
        "tidak menjawab dengan semua servernya", "does not answer with any of its servers"
    ),
    "state": Text("tidak menjawab: tak satu pun", "does not answer: none"),
    "look": Text(
        "Periksa host itu dahulu, bukan tiap servernya: listrik, konsol, hypervisor, jaringannya, "
        "lalu penyimpanannya.",
        "Look at that host first, not at each of its servers: power, console, hypervisor, its "
        "network, then its storage.",
    ),
}
_ALIVE = {
    "whole": Text(
        "menerima sambungan, tetapi tak satu pun servernya menjawab",
        "takes connections, but none of its servers answers",
    ),
    "state": Text("menerima sambungan, tetapi tak satu pun", "takes connections, but none"),
    "look": Text(
        "Periksa dahulu penyimpanan host itu (proses berstatus D), lalu memorinya dan proses yang "
        "dihentikan (status T); host-nya sendiri hidup dan jaringannya bekerja.",
        "Look at that host's storage first (processes in state D), then at its memory and at "
        "stopped processes (state T); the host itself is alive and its network works.",
    ),
}
"""Of a host none of whose servers answers: whether its kernel still takes connections."""

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
                "Agen {target} tidak dapat menjangkau {value} dari {all} server: {names}{doubt}",
                "Agent {target} cannot reach {value} of {all} servers: {names}{doubt}",
            ),
            _LOOK_BETWEEN,
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text(
                "Agen {target} tidak dapat menjangkau {which}{doubt}",
                "Agent {target} cannot reach {which}{doubt}",
            ),
        ),
        Threshold(
            "host_unreached_targets",
            Text(
                "Host {target} {state} dari {value} server di sana yang menjawab: {names}",
                "Host {target} {state} of its {value} servers answers: {names}",
            ),
            Text("{look}", "{look}"),
            "reach",
            critical=1.0,
            absent_clears=False,
            headline=Text("Host {target} {whole}", "Host {target} {whole}"),
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
    reached: bool = False  # it took a connection since it is silent: frozen, not cut off
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
            # What is frozen takes connections until its queue is full, and was reached all the same
            seat.reached = silent and (seat.reached or (failure is not None and failure.reached))
            seat.at, seat.announced = reading.at, announced
            seat.fresh_for = timedelta(seconds=3 * interval_seconds)
            changed = self._count(target.name, seat) or seat.silent == RIPE_READINGS
            interval = timedelta(seconds=0.9 * interval_seconds)
            found: list[Finding] = []
            most = 2 * len(self._silent) > len(self._counted)
            if self._is_due(self._agent, changed and most, reading.at, interval):
                seats = self._fresh(self._seats.values(), reading.at)
                bad = _beyond_us(seats, stands=self._agent in self._raised)
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

    def patience(self, target: str, interval_seconds: float, deadline_seconds: float) -> float:
        """How long a silent target's own word should wait for others that may be silent as well:
        for readings under way, or of a few hosts for their second word; 0: it is alone, or what it
        has in common with others is told."""
        with self._lock:
            seat = self._seats.get(target)
            if seat is None or seat.since is None or seat.at is None:
                return 0.0
            seats = self._fresh(self._seats.values(), seat.at)
            stands = self._agent in self._raised
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
        detail = {"names": names, "all": len(seats), **_words(silent, seats)}
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


def _beyond_us(
    seats: Sequence[_Seat], unsure: Collection[str] = (), *, stands: bool = False
) -> bool:
    """Whether the silent ones point to what is between the agent and them.

    ``unsure``: taken for silent, since it is not known yet; ``stands``: it was said already. Of
    many hosts most must be silent. Of few every one, without any sign, and since about the same
    time: a single one that answers, refuses or takes a connection shows that the agent's network
    works, and that the others are in trouble themselves. Whether it takes one is known from the
    second reading: the first may have asked on a session that was open.
    """
    silent = [seat for seat in seats if seat.silent or seat.target.name in unsure]
    dark = {_host_of(seat) for seat in silent}
    if len(dark) >= (MANY_HOSTS - 1 if stands else MANY_HOSTS):  # one that is back parts nobody
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


def _host_of(seat: _Seat) -> str:
    return seat.target.machine or seat.target.name


def _words(silent: Sequence[_Seat], seats: Sequence[_Seat]) -> Mapping[str, Text]:
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
_SHOWN = Text("{shown} dari {all}", "{shown} of {all}")


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
    note: Words = ""
    if len(rows) < len(seats):
        note = _SHOWN.format(shown=len(rows), all=len(seats))
    table = Exhibit(_WHO, ("target", "host", "state", "since"), rows, note)
    return replace(finding, evidence=Evidence(at, (table,)))
