"""A reading on its way to the desk: its subject, and the reading it was derived from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from probes import Address, Evidence, Measurement, Probe, Reading, Session, Target
from probes.fleet.plan import Plan

DERIVED = "agent"
"""The engine of derived probes, which query nothing."""

NOWHERE = Address("", 0, "")
"""Address of a cluster, a host or an agent in place of a target."""


def nothing_to_ask(session: Session) -> Sequence[Measurement]:
    """What a derived probe reads by itself."""
    return ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One reading: of a target, or derived from it for the target or for what several share."""

    plan: Plan
    probe: Probe
    reading: Reading
    target: Target  # the plan's, with its role as far as that is known
    source: Observation | None = None
    """The reading this one was derived from; None: a server or a host was queried."""
    shared: bool = False
    """It is about a cluster, a host or the agent, in place of a target."""
    members: tuple[Target, ...] = ()
    """Of a cluster: its targets."""
    evidence: Evidence | None = None
    """The evidence; None: the queried probe provides it."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Further facts for the findings made from it."""

    @property
    def asked(self) -> Observation:
        """The reading for which a server or a host was queried: this one or its source."""
        return self.source or self

    @property
    def stale_after(self) -> float:
        """Seconds after which it is stale: the same as for the reading it was derived from."""
        return self.asked.plan.stale_after(self.asked.probe)

    @property
    def ended_at(self) -> datetime:
        """When the reading was complete; later ones end later, though they may begin earlier."""
        return self.reading.at + timedelta(seconds=self.reading.duration_seconds)

    def derive(self, probe: Probe, found: Sequence[Measurement]) -> Observation:
        """A reading of a derived probe that follows from this one, of the same target."""
        reading = Reading(self.reading.target, probe.name, self.reading.at, 0.0, tuple(found))
        return Observation(self.plan, probe, reading, self.target, self.asked, about=self.about)


def observed(plan: Plan, probe: Probe, reading: Reading) -> Observation:
    """A reading of a probe that was asked."""
    return Observation(plan, probe, reading, plan.target)
