"""Declaration of a scenario: a fault with the expected findings, or a healthy state without any.

Scenarios are data: the table of what is detected, by which probe, in which words, is printed by the
run. A scenario without an expectation cannot be declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from probes import Expectations, Limits, Probe, Severity, Threshold, registry
from probes.fleet import cluster_roles, reachability
from probes.fleet.membership import DERIVED_PROBES
from probes.model import NOTHING_EXPECTED

World = TypeVar("World")
Break = Callable[[World], AbstractContextManager[Any]]
"""Enter: the fault is there, waited for by condition. Leave: it is healed, waited for as well."""

PRIMARY, REPLICA = "primary", "replica"
WARNS = Limits(opens=Severity.WARNING)
"""For what only warns by default: the office may tune it to open an incident, and the lab does."""

PATIENT = 10.0
"""A deadline in seconds for what is about no hang: a starved machine needs longer for a login."""


@dataclass(frozen=True)
class Fault(Generic[World]):
    """One fault on a real server, and the one incident it must become."""

    name: str  # family of the file / what is broken
    engine: str  # postgresql | mysql | pgbouncer
    inject: Break[World]
    target: str  # whose trouble is the root
    probe: str
    measure: str
    family: str
    words: tuple[str, ...]  # in the English title or the sentence under it: the cause, named
    evidence: tuple[str, ...] = ()  # words that the frozen tables must hold
    hidden: tuple[
        str, ...
    ] = ()  # people's data, which the frozen tables and the title must not hold
    no_evidence: str = ""  # why there can be none although the probe has tables to show
    limits: Mapping[str, Limits] = field(default_factory=dict)  # "probe.measure": changed limits
    severity: Severity = Severity.CRITICAL
    versions: tuple[int, int] = (0, 10**9)  # least and first beyond, as Session.version counts
    flavours: tuple[str, ...] = ()  # empty: all of the engine
    host: tuple[str, ...] = ()  # host probes that look too
    small_volume: bool = False  # happens on a volume that only root can mount
    local: bool = False  # the agent runs on the servers' host
    deadline: float = 2.0  # seconds a probe may take
    extra_rounds: int = 0  # beyond the streak, where one verdict rests on several readings
    given: Break[World] | None = None  # what the office has had in place for long
    or_target: str = ""  # whose word may as well come first, where several see the same
    symptoms: tuple[str, ...] = ()  # measures that must be among the incident's effects
    rest_seconds: float = 0.0  # between two rounds, where the fault repeats only so often
    through_proxy: bool = False  # the servers are reached through proxies that can fall silent
    meanwhile: Callable[[World], object] | None = None  # goes on before each round, while it lasts
    seconds_a_round: float = 15.0  # of the agent's clock, and of what growth was watched for
    expects: Expectations = NOTHING_EXPECTED  # who belongs to the target, told by hand

    @property
    def declared(self) -> Probe:
        """The probe that must see it. Raises ``StopIteration`` when there is none of the name."""
        known = (
            *registry.probes_for(self.engine),
            cluster_roles.PROBE,
            reachability.PROBE,
            *DERIVED_PROBES,
        )
        return next(probe for probe in known if probe.name == self.probe)

    @property
    def threshold(self) -> Threshold:
        """The declared threshold of the measure."""
        return next(t for t in self.declared.thresholds if t.measure == self.measure)

    @property
    def streak(self) -> int:
        """Within so many rounds of its probe: two, or the streak the threshold states."""
        own = self.limits.get(f"{self.probe}.{self.measure}", Limits())
        return max(2, own.raise_after or self.threshold.raise_after) + self.extra_rounds


@dataclass(frozen=True)
class Healthy(Generic[World]):
    """Something ordinary that must not become an incident."""

    name: str
    engine: str
    during: Break[World]
    rounds: int = 12
    seconds_a_round: float = 15.0  # of the faked clock
    own_clocks: bool = False  # each probe at its own interval instead of in every round
    limits: Mapping[str, Limits] = field(default_factory=dict)
    host: tuple[str, ...] = ()
    given: Break[World] | None = None  # as for a fault
    announced: bool = False  # a maintenance window is on meanwhile
    versions: tuple[int, int] = (0, 10**9)
    flavours: tuple[str, ...] = ()
