"""What the agent itself costs a server: sessions, waiting time, lock waits, probes left out.

The cost is exported and judged against a declared budget like any other measure. A server that
cannot be used says nothing about our cost: its outage is reported already, and time waited for it
is no load on it. When it is back, the account begins anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from probes import CONNECTION_KINDS, Measure, Measurement, Probe, Reading, Text, Threshold
from probes.fleet.observation import DERIVED, Observation, nothing_to_ask
from probes.fleet.plan import Plan
from probes.words.cost import Cost

WINDOW = timedelta(minutes=5)
MOST_SESSIONS = 3
"""One kept, one fresh login, one for evidence."""

PROBE = Probe(
    name="own_cost",
    engine=DERIVED,
    question=Text("Is Sigap itself a burden to this server?"),
    measures=(
        Measure(
            "own_sessions", "", "Most sessions Sigap had open at once since the previous reading."
        ),
        Measure(
            "own_busy_ratio", "ratio", "Share of the last five minutes spent waiting for answers."
        ),
        Measure(
            "own_lock_waits",
            "",
            "Statements of Sigap that gave up waiting for a lock in 5 minutes.",
        ),
        Measure("own_stale_probes", "", "Probes that Sigap did not run for three intervals."),
    ),
    thresholds=(
        Threshold(
            "own_sessions",
            Text("Sigap had {value} sessions open at once on {target} (budget 3)"),
            Text(
                "This is a bug in Sigap, or a network that holds old sessions: report it with its "
                "log lines."
            ),
            "own_cost",
            critical=MOST_SESSIONS + 1.0,
            headline=Text("Sigap has too many sessions open on {target}"),
        ),
        Threshold(
            "own_busy_ratio",
            Text("Sigap's questions take {value} of the time on {target} (limit {limit})"),
            Text(
                "Run the slowest probe less often (its duration is on the Servers page): "
                "probes.NAME.every. Sigap has already slowed down by itself."
            ),
            "own_cost",
            # A second of waiting in four is no longer watching; half the time is a load.
            warning=0.25,
            critical=0.5,
            raise_after=4,
            clear_margin=0.2,
            headline=Text("Sigap's questions take too much of the time on {target}"),
        ),
        Threshold(
            "own_lock_waits",
            Text("{value} questions of Sigap on {target} gave up waiting for a lock in 5 minutes"),
            Text("A session holds an exclusive lock on the catalogue; see blocked_sessions."),
            "own_cost",
            warning=5.0,
            headline=Text("Questions of Sigap on {target} gave up waiting for a lock"),
        ),
        Threshold(
            "own_stale_probes",
            Text("Sigap did not get round to {value} probes on {target}: {names}"),
            Text(
                "What these probes ask is not known now. A slow server holds up the rounds, or the "
                "interval is too short: see each probe's duration on the Servers page, then raise "
                "agent.interval or probes.NAME.every."
            ),
            "own_cost",
            warning=1.0,
            raise_after=2,
            headline=Text("Sigap did not get round to all its probes on {target}"),
        ),
    ),
    read=nothing_to_ask,
)


ROUNDS_PASSED_BY = 3
"""Rounds in which a probe was not asked although it was due, before that is called stale."""

SPACING = timedelta(seconds=5)
"""Between two marks kept: a target asked five times a second needs no 1,500 of them."""


@dataclass(frozen=True, slots=True)
class _Mark:
    at: datetime
    seconds: float
    lock_waits: int


@dataclass(slots=True)
class SelfCost:
    """What one target has cost over the last minutes; used by that target's thread."""

    _marks: deque[_Mark] = field(default_factory=deque)
    _asked: dict[str, tuple[datetime, int]] = field(default_factory=dict)  # when, in which round
    _usable_since: datetime | None = None
    _rounds: int = 0  # in which the server could be used
    _logins: int = 0  # that were counted at the reading before

    def derive(self, own: Observation, cost: Cost) -> list[Observation]:
        """The cost up to a reading of ``up``; of any other probe it notes that it was asked."""
        self._note(own.probe, own.reading)
        if not own.probe.judged_on_failure or own.reading.failure is not None:
            return []
        return [own.derive(PROBE, self._measured(own.plan, own.reading.at, cost))]

    def _note(self, probe: Probe, reading: Reading) -> None:
        """A probe was asked, whatever it found; a server that is down stops all others."""
        self._asked[probe.name] = (reading.at, self._rounds)
        if not probe.judged_on_failure:
            return
        if reading.failure is not None and reading.failure.kind in CONNECTION_KINDS:
            self._usable_since = None
            self._marks.clear()
            return
        self._rounds += 1
        self._usable_since = self._usable_since or reading.at

    def _stale(self, plan: Plan, at: datetime) -> list[str]:
        """The probes whose last reading says nothing any more although the server can be used.

        A gap in the rounds themselves (a host that slept) is no probe's: three of them must have
        passed it by.
        """
        since = self._usable_since
        if since is None:
            return []
        late = []
        for probe in plan.probes:
            when, number = self._asked.get(probe.name, (since, 0))
            oldest = timedelta(seconds=plan.stale_after(probe))
            if at - max(when, since) > oldest and self._rounds - number > ROUNDS_PASSED_BY:
                late.append(probe.name)
        return late

    def _measured(self, plan: Plan, at: datetime, cost: Cost) -> list[Measurement]:
        mark = _Mark(at, cost.seconds, cost.lock_waits)
        if not self._marks or abs(at - self._marks[-1].at) >= SPACING:
            self._marks.append(mark)
        while len(self._marks) > 2 and at - self._marks[1].at >= WINDOW:
            self._marks.popleft()
        before = self._marks[0]
        if cost.seconds < before.seconds or at < before.at:  # a new owner starts at zero
            self._marks = deque([mark])
            before = mark
        if cost.logins < self._logins:
            self._logins = 0
        late = self._stale(plan, at)
        found = [
            Measurement("own_sessions", float(cost.most_sessions(self._logins))),
            Measurement("own_lock_waits", float(mark.lock_waits - before.lock_waits)),
            Measurement("own_stale_probes", float(len(late)), detail={"names": ", ".join(late)}),
        ]
        self._logins = cost.logins
        elapsed = (mark.at - before.at).total_seconds()
        if elapsed >= WINDOW.total_seconds() / 5:
            found.append(Measurement("own_busy_ratio", (mark.seconds - before.seconds) / elapsed))
        return found
