"""Plays one scenario and compares the result with its expectation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pytest
from _pytest.mark import ParameterSet

from incidents.model import EventKind, Incident
from probes import Probe, Severity, Target
from tests.lab import table
from tests.lab.scenario import Break, Fault, Healthy
from tests.lab.stage import INTERVAL_SECONDS, Setup, Stage
from tests.support.selection import fits, impossible_here

WARM_UP_ROUNDS = 2
FURTHER_ROUNDS = 3  # in which nothing more may open
HEALING_ROUNDS = 25


class Place(Protocol):
    """The servers a scenario is played on."""

    engine: str
    flavour: str
    title: str
    version: int
    shown_version: str
    ruined: bool  # a scenario failed here: the state of the servers is unknown
    rest_seconds: float  # between two rounds, without which the server shows old answers

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]: ...


Where = TypeVar("Where", bound=Place)


class Worlds(Generic[Where]):
    """The servers of one module's scenarios, created again after a failed one."""

    def __init__(self, make: Callable[[], AbstractContextManager[Where]]) -> None:
        self._make = make
        self._stack = ExitStack()
        self._there: Where | None = None

    def get(self) -> Where:
        """Healthy servers: those of the previous scenario, if it left them so."""
        if self._there is None or self._there.ruined:
            self.close()
            self._there = self._stack.enter_context(self._make())
        return self._there

    def close(self) -> None:
        self._there = None
        self._stack.close()
        self._stack = ExitStack()


def each_version(
    versions: Sequence[str], of: Callable[[str], Callable[[], AbstractContextManager[Where]]]
) -> Callable[..., Iterator[Worlds[Where]]]:
    """The fixture ``worlds`` of a module that runs on each of these versions.

    ``of(version)`` returns how its servers are created, or skips with the reason why they are
    unavailable.
    """

    @pytest.fixture(scope="module", params=versions)
    def worlds(request: pytest.FixtureRequest) -> Iterator[Worlds[Where]]:
        made = Worlds(of(request.param))
        yield made
        made.close()

    return worlds


@contextmanager
def with_programs(
    variable: str, where: Path, make: Callable[[], AbstractContextManager[Where]]
) -> Iterator[Where]:
    """Servers whose programs are those that the variable names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, str(where))
        with make() as there:
            yield there


def as_parameter(fault: Fault[Where]) -> ParameterSet:
    """The fault as a test's parameter: named, and marked when it needs a right only root has."""
    needs_root = fault.host or fault.small_volume
    return pytest.param(fault, id=fault.name, marks=[pytest.mark.root] if needs_root else [])


def _fits(case: Fault[Where] | Healthy[Where], where: Place) -> None:
    """What does not fit is left out while tests are collected, where the version is known then."""
    if not fits(case, where):
        impossible_here(f"{where.title} {where.shown_version} cannot have {case.name}")


@contextmanager
def _ruined_by_failure(where: Place) -> Iterator[None]:
    """What failed half-way may not have been healed: the next scenario gets servers of its own."""
    where.ruined = True
    yield
    where.ruined = False


def _given(given: Break[Where] | None, where: Where) -> AbstractContextManager[object]:
    return given(where) if given is not None else nullcontext()


def play_fault(fault: Fault[Where], where: Where, folder: Path) -> None:
    """Break; one incident with cause and evidence; heal; clear."""
    _fits(fault, where)
    targets = where.targets(through_proxy=fault.through_proxy)
    rest_seconds = max(where.rest_seconds, fault.rest_seconds)
    setup = Setup(
        fault.limits,
        fault.host,
        fault.local,
        deadline=fault.deadline,
        rest_seconds=rest_seconds,
        seconds_a_round=fault.seconds_a_round,
        expects={fault.target: fault.expects},
    )
    with (
        _ruined_by_failure(where),
        _given(fault.given, where),
        closing(Stage(targets, folder, setup)) as stage,
    ):
        for _ in range(WARM_UP_ROUNDS):
            stage.round()
        assert stage.incidents() == (), _told(stage)
        with fault.inject(where):
            started = time.perf_counter()
            rounds = _until_opened(fault, where, stage)
            seconds = time.perf_counter() - started
            for _ in range(FURTHER_ROUNDS):
                _round(fault, where, stage)
            incident = _the_one(fault, stage)
        _heals(stage, incident.number)
    table.add(
        table.Row(
            fault.name, where.title, where.shown_version, rounds, seconds,
            _waited(fault.declared, rounds) + seconds, 1, incident.title.en,
        )
    )  # fmt: skip


def _waited(probe: Probe, rounds: int) -> float:
    """Seconds of the agent's own clock until so many readings: the first is what is rare, where
    doubt brings the others sooner."""
    every = probe.every or INTERVAL_SECONDS
    further = min(every, INTERVAL_SECONDS) if probe.sooner_in_doubt else every
    return every + (rounds - 1) * further


def _round(fault: Fault[Where], where: Where, stage: Stage) -> None:
    """One round while the fault is present, after the scenario's continuing load."""
    if fault.meanwhile is not None:
        fault.meanwhile(where)
    stage.round()


def _until_opened(fault: Fault[Where], where: Where, stage: Stage) -> int:
    """How many rounds it took until the incident was open, its cause being the root."""
    for number in range(1, fault.streak + 1):
        _round(fault, where, stage)
        if any(_is_it(fault, incident) for incident in stage.incidents()):
            return number
    pytest.fail(f"not told within {fault.streak} rounds; {_told(stage)}")


def _is_it(fault: Fault[Where], incident: Incident) -> bool:
    starts = tuple(
        f"{target}/{fault.probe}/{fault.measure}/"
        for target in (fault.target, fault.or_target)
        if target
    )
    return any(each.root and each.fingerprint.startswith(starts) for each in incident.troubles)


def _the_one(fault: Fault[Where], stage: Stage) -> Incident:
    """The one incident, as promised: who, what, how bad, in which words, with which evidence."""
    assert len(stage.incidents()) == 1, _told(stage)
    (incident,) = stage.incidents()
    assert _is_it(fault, incident), _told(stage)
    assert incident.target in {fault.target, fault.or_target} - {""}, _told(stage)
    assert incident.family == fault.family, _told(stage)
    assert incident.severity == fault.severity
    (sentence,) = [each.title for each in incident.troubles if each.root]
    told = f"{incident.title.en}\n{sentence.en}"
    missing = [word for word in fault.words if word not in told]
    assert not missing, f"{missing} not in {told!r}"
    assert incident.title.id != incident.title.en
    effects = {each.fingerprint.split("/")[2] for each in incident.troubles if not each.root}
    assert effects >= set(fault.symptoms), _told(stage)
    if fault.evidence:
        frozen = json.dumps(
            [each.evidence for each in incident.troubles if each.evidence], ensure_ascii=False
        )
        assert [word for word in fault.evidence if word not in frozen] == [], frozen
        assert [word for word in fault.hidden if word in frozen + told] == []
        assert "Evidence could not be taken" not in frozen
    return incident


def _heals(stage: Stage, number: str) -> None:
    """Clear within some rounds, reported as such, and still waiting for signatures."""
    for _ in range(HEALING_ROUNDS):
        stage.round()
        if not any(incident.red for incident in stage.incidents()):
            break
    assert len(stage.incidents()) == 1, _told(stage)
    (incident,) = stage.incidents()
    assert not incident.red, _told(stage)
    kinds = {event.kind for event in stage.desk.queries.events(number)}
    assert EventKind.CLEARED in kinds
    assert (incident.open, incident.step) == (True, 1)


def play_healthy(healthy: Healthy[Where], where: Where, folder: Path) -> None:
    """Run normal operation for its stated time; no incident may open."""
    _fits(healthy, where)
    targets = where.targets()
    setup = Setup(
        healthy.limits,
        healthy.host,
        own_clocks=healthy.own_clocks,
        announced=healthy.announced,
        seconds_a_round=healthy.seconds_a_round,
    )
    started = time.perf_counter()
    with (
        _ruined_by_failure(where),
        _given(healthy.given, where),
        closing(Stage(targets, folder, setup)) as stage,
    ):
        for _ in range(WARM_UP_ROUNDS):
            stage.round()
        with healthy.during(where):
            for _ in range(healthy.rounds):
                stage.round()
                assert stage.incidents() == (), _told(stage)
        for _ in range(FURTHER_ROUNDS):
            stage.round()
        assert stage.incidents() == (), _told(stage)
        if healthy.announced:
            assert stage.tap.held, "nothing was held back: the window was not needed"
        assert stage.tap.newest, "nothing was judged: this silence would prove nothing"
    seconds = time.perf_counter() - started
    table.add(
        table.Row(
            healthy.name, where.title, where.shown_version, healthy.rounds, seconds, 0.0, 0, ""
        )
    )


def _told(stage: Stage) -> str:
    """What is open and what is red, for a failed test's message."""
    opened = [
        f"{each.number} {each.title.en} "
        f"{[(t.fingerprint, t.root, t.severity.name) for t in each.troubles]}"
        for each in stage.incidents()
    ]
    red = [f"{f.fingerprint} {Severity(f.severity).name} {f.title.en}" for f in stage.tap.bad()]
    return f"open: {opened}; red: {red}"
