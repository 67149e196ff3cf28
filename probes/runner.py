"""Runs probes on a target: owns its sessions, limits every call, turns failures into data.

One ``Owner`` per target, used by one thread. It keeps one session, lets ``login`` open a second for
a fresh login, and closes broken ones. A round ends at the first failure of the connection itself: a
server that is down is tried once per round, not once per probe.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from probes.model import (
    CONNECTION_KINDS,
    Down,
    Evidence,
    Exhibit,
    Failure,
    FailureKind,
    Measurement,
    Memory,
    Probe,
    ProbeError,
    Reading,
    Row,
    Session,
    Shared,
    Target,
    Text,
    Words,
)
from probes.wire import deadline
from probes.wire.abandoned_logins import Abandoned
from probes.words import evidence, failure_text
from probes.words.cost import Cost
from probes.words.engine import Engine

log = logging.getLogger("sigap.probes")

HOST = "host"


def take(
    probe: Probe, target: Target, session: Session, now: datetime, budget_seconds: float
) -> Reading:
    """One run of one probe, within the deadline. Never raises: failure is data."""
    started = time.perf_counter()
    measurements: tuple[Measurement, ...] = ()
    failure: Failure | None = None
    try:
        with deadline.within(budget_seconds):
            measurements = _checked(probe, tuple(probe.read(session)))
    except ProbeError as error:
        failure = error.failure
    except Exception as error:  # the only broad catch: a bug in one probe must not end the others
        log.exception(
            "probe %s on %s failed unexpectedly; please report this", probe.name, target.name
        )
        failure = Failure(
            FailureKind.BROKEN,
            f"{type(error).__name__}: {error}",
            Text("This is a bug in Sigap: report it with its log lines."),
        )
    return Reading(
        target.name, probe.name, now, time.perf_counter() - started, measurements, failure
    )


def _checked(probe: Probe, measurements: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    declared = {measure.name for measure in probe.measures}
    for measurement in measurements:
        if measurement.measure not in declared:
            raise ValueError(f"measure {measurement.measure!r} is not declared by {probe.name}")
        if not math.isfinite(measurement.value):
            raise ValueError(f"{measurement.measure} is {measurement.value}")
    return measurements


PATHS_SECONDS = 600.0
"""How long known file paths are reused: a tablespace may have been added."""

LOCAL_EVIDENCE_SECONDS = 4.0
"""For a server seen from outside: an overloaded host shows its processes slowly."""

MOST_SLOW = 3
"""Probes of one round that may end at the deadline before the rest is left for the next round."""


def _too_slow(budget_seconds: float) -> Failure:
    """One probe timed out on a server that answered another in the same round."""
    said = Text(
        "no answer within {budget_seconds:g} s, although the server answers others",
        budget_seconds=budget_seconds,
    )
    hint = Text(
        "Look at what Sigap's session waits for (pg_stat_activity, SHOW PROCESSLIST): a lock, a "
        "bloated catalogue, or slow storage."
    )
    return Failure(FailureKind.BLIND, said.en, hint, said)


_NO_SESSION = Text("there is no session to ask")


class _Metered:
    """A session that counts what it costs."""

    def __init__(self, inner: Session, cost: Cost, abandoned: Abandoned) -> None:
        self._inner = inner
        self._cost = cost
        self._abandoned = abandoned
        self.memory = Memory()
        self.shared = Shared()
        self.refused: Failure | None = None  # why the last further session could not be had
        cost.opened()
        self._open = True

    @property
    def target(self) -> Target:
        return self._inner.target

    @property
    def flavour(self) -> str:
        return self._inner.flavour

    @property
    def version(self) -> int:
        return self._inner.version

    @property
    def phases(self) -> Mapping[str, float]:
        return self._inner.phases

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        started = time.perf_counter()
        self._cost.statements += 1
        try:
            answer = self._inner.rows(sql, parameters)
        except ProbeError as error:
            self._cost.lock_waits += error.waited_for_lock
            raise
        finally:
            spent = time.perf_counter() - started
            self._cost.seconds += spent
            self._cost.longest_seconds = max(self._cost.longest_seconds, spent)
        self._cost.rows += len(answer)
        return answer

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        with ExitStack() as stack:
            started = time.perf_counter()
            hanging = self._abandoned.refusal(started)
            if hanging is not None:
                self.refused = hanging
                error = ProbeError(hanging.kind, hanging.message, hanging.hint)
                error.failure = hanging
                raise error
            try:
                inner = stack.enter_context(self._inner.fresh(database))
            except ProbeError as error:
                self.refused = error.failure
                self._abandoned.note(started, error.failure)
                raise
            finally:
                self._cost.seconds += time.perf_counter() - started
            session = _Metered(inner, self._cost, self._abandoned)
            session.memory = self.memory
            stack.callback(session.closed)
            yield session

    def paths(self) -> Mapping[str, str]:
        return self._inner.paths()

    def closed(self) -> None:
        if self._open:
            self._open = False
            self._cost.closed()

    def close(self) -> None:
        self.closed()
        self._inner.close()


class HostView:
    """Target and last known file paths, for probes without a session.

    Host probes always get it, the others' ``exhibits_when_down`` when their server is down.
    """

    flavour = HOST
    version = 0
    phases: Mapping[str, float] = {}

    def __init__(self, target: Target, known_paths: Mapping[str, str], memory: Memory) -> None:
        self.target = target
        self.memory = memory
        self.shared = Shared()
        self._known_paths = known_paths

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        raise ProbeError(FailureKind.UNSUPPORTED, _NO_SESSION)

    def fresh(self, database: str = "") -> AbstractContextManager[Session]:
        raise ProbeError(FailureKind.UNSUPPORTED, _NO_SESSION)

    def paths(self) -> Mapping[str, str]:
        return self._known_paths

    def close(self) -> None:
        return None


@contextmanager
def _asking_anew(session: Session) -> Iterator[None]:
    """Evidence is read fresh: no answer of the round is reused for it, and none of it for the
    round.
    """
    answers, session.shared.round = session.shared.round, Memory()
    try:
        yield
    finally:
        session.shared.round = answers


def _of_one_down(probe: Probe, down: Down | None) -> Callable[[Session], Iterable[Exhibit]] | None:
    """Evidence of a probe about a server that is known to be down."""
    show = probe.exhibits_when_down
    if show is None or down is None:
        return None
    return lambda view: show(view, down)


def _with(
    own: Callable[[Session], Iterable[Exhibit]] | None,
    lately: Callable[[Session], Iterable[Exhibit]] | None,
) -> Callable[[Session], Iterable[Exhibit]] | None:
    """Evidence of a probe about a server that answers, followed by recent changes on it."""
    if lately is None:
        return own

    def both(session: Session) -> Iterator[Exhibit]:
        yield from own(session) if own is not None else ()
        try:
            yield from lately(session)
        except ProbeError as error:  # what the probe showed stays
            title = Text("Last changes on the server")
            yield Exhibit(title, (), (), note=failure_text.shown(error.failure))

    return both


class Owner:
    """Owns all sessions of Sigap towards one target."""

    def __init__(self, target: Target, engine: Engine, budget_seconds: float = 5.0) -> None:
        self.target = target
        self.cost = Cost()
        self._engine = engine
        self._budget_seconds = budget_seconds
        self.flavour = ""
        """What the server turned out to be at the last login; "" before the first."""
        self.version = 0
        self._kept: _Metered | None = None
        self._abandoned = Abandoned()
        self._down: Down | None = None
        self._answered_at: datetime | None = None
        self._paths: Mapping[str, str] = {}
        self._paths_learned_at = -math.inf  # monotonic
        self._memories: dict[str, Memory] = {}

    def round(self, due: Sequence[Probe], now: Callable[[], datetime]) -> Iterator[Reading]:
        """Run each due probe once, in order; a hung server costs one deadline, not one per probe.

        What the probes share of this round's answers is dropped at its end.
        """
        self._forget_answers()
        try:
            yield from self._round(due, now)
        finally:
            self._forget_answers()

    def _round(self, due: Sequence[Probe], now: Callable[[], datetime]) -> Iterator[Reading]:
        down: Failure | None = None
        answered, slow = False, 0
        for probe in due:
            if probe.engine == HOST:
                yield take(probe, self.target, self._view(probe), now(), self._budget_seconds)
                continue
            if down is not None:
                yield Reading(self.target.name, probe.name, now(), 0.0, failure=down)
                continue
            reading = self._ask(probe, now())
            failure = reading.failure
            if failure is None:
                answered, self._answered_at, self._down = True, reading.at, None
            if failure is not None and failure.kind in CONNECTION_KINDS:
                logged_in = self._kept is not None
                self.drop()
                if failure.kind is not FailureKind.TIMEOUT or not (answered and logged_in):
                    down = failure
                    spent = reading.duration_seconds
                    self._down = Down(failure, spent, not logged_in, self._answered_at)
                elif slow < MOST_SLOW:
                    # The server is alive: one slow probe must not hide the others' readings.
                    slow += 1
                    reading = replace(reading, failure=_too_slow(self._budget_seconds))
                else:
                    down = failure
            yield reading

    def gather(self, probe: Probe, now: datetime) -> Evidence | None:
        """Take a probe's evidence when a fault begins; what could not be read is stated in its
        place.
        """
        show: Callable[[Session], Iterable[Exhibit]] | None = probe.exhibits
        session: Session
        budget_seconds = max(self._budget_seconds, LOCAL_EVIDENCE_SECONDS)
        if probe.engine == HOST:
            session = self._view(probe)
        elif self._kept is not None:
            session, budget_seconds = self._remembering(self._kept, probe), self._budget_seconds
            show = _with(probe.exhibits, self._engine.lately)
        else:
            session, show = self._view(probe), _of_one_down(probe, self._down)
        if show is None:
            return None
        try:
            with deadline.within(budget_seconds), _asking_anew(session):
                return Evidence(now, evidence.bounded(show(session)))
        except ProbeError as error:
            said: Words = failure_text.shown(error.failure)
        except Exception as error:  # a bug in evidence must not stop the finding
            log.exception(
                "evidence of probe %s on %s failed unexpectedly; please report this",
                probe.name,
                self.target.name,
            )
            said = f"{type(error).__name__}: {error}"
        missing = Text("Evidence could not be taken")
        return Evidence(now, evidence.bounded([Exhibit(missing, (), (), note=said)]))

    @property
    def kept(self) -> dict[str, Any]:
        """What the probes want to outlive the process, by probe; plain JSON values."""
        return {name: kept for name, each in self._memories.items() if (kept := each.kept)}

    def remember(self, kept: Mapping[str, Any]) -> None:
        """Give the probes back what an earlier process kept; before the first round."""
        for name, value in kept.items():
            if isinstance(value, dict):
                self._memories.setdefault(name, Memory(value))

    def drop(self) -> None:
        """Close the kept session; returns at once even when the server hangs."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _forget_answers(self) -> None:
        if self._kept is not None:
            self._kept.shared.round = Memory()

    def _ask(self, probe: Probe, now: datetime) -> Reading:
        """One reading; a kept session that the server had closed is opened again, once."""
        had_session = self._kept is not None
        reading = self._take(probe, now)
        kept = self._kept
        if kept is not None and reading.failure is not None and reading.failure is kept.refused:
            # Only the additional session was refused: the kept one works, and login reports why.
            return replace(reading, failure=failure_text.no_further(reading.failure))
        if (
            had_session
            and reading.failure is not None
            and reading.failure.kind in CONNECTION_KINDS - {FailureKind.TIMEOUT}
        ):
            self.drop()
            reading = self._take(probe, now)
        return reading

    def _take(self, probe: Probe, now: datetime) -> Reading:
        started, had_session = time.perf_counter(), self._kept is not None
        try:
            with deadline.within(self._budget_seconds):
                session = self._remembering(self._session(), probe)
        except ProbeError as error:
            spent = time.perf_counter() - started
            return Reading(self.target.name, probe.name, now, spent, failure=error.failure)
        reading = take(probe, self.target, session, now, self._budget_seconds)
        failure = reading.failure
        if had_session or failure is None or failure is session.refused:
            return reading
        # The login worked a moment ago.
        return replace(reading, failure=replace(failure, reached=True))

    def _session(self) -> _Metered:
        if self._kept is None:
            started = time.perf_counter()
            try:
                opened = self._engine.open(self.target, "kept")
                self._kept = _Metered(opened, self.cost, self._abandoned)
                self.flavour, self.version = self._kept.flavour, self._kept.version
                self._learn_paths(self._kept)
            finally:
                self.cost.seconds += time.perf_counter() - started
        elif time.monotonic() - self._paths_learned_at >= PATHS_SECONDS:
            self._learn_paths(self._kept)
        return self._kept

    def _view(self, probe: Probe) -> HostView:
        paths = {**self._paths, **self.target.volumes}
        return HostView(self.target, paths, self._memory(probe))

    def _remembering(self, session: _Metered, probe: Probe) -> _Metered:
        session.memory = self._memory(probe)
        return session

    def _memory(self, probe: Probe) -> Memory:
        return self._memories.setdefault(probe.name, Memory())

    def _learn_paths(self, session: Session) -> None:
        """Remember where the server keeps its files; the host probe reports it if that is not
        known.
        """
        self._paths_learned_at = time.monotonic()
        try:
            self._paths = session.paths()
        except ProbeError as error:
            if error.failure.kind in CONNECTION_KINDS:
                raise
            log.info("%s does not report where its files are: %s", self.target.name, error)
