"""What to ask of one target and how often."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.model import Probe, Target
from probes.runner import HOST


@dataclass(frozen=True)
class Plan:
    """What to do for one target; plans are compared by value when the configuration changes."""

    target: Target
    probes: tuple[Probe, ...]
    interval: float  # seconds
    deadline: float  # seconds, for one probe
    learn_after: float = 600.0  # seconds a member is seen before it counts as belonging here

    @property
    def periods(self) -> Mapping[str, float]:
        """Seconds between two runs, by probe."""
        return {probe.name: self.period(probe) for probe in self.probes}

    @property
    def periods_in_doubt(self) -> Mapping[str, float]:
        """The same for the probes that come sooner while their last answers leave a doubt."""
        return {
            probe.name: min(self.period(probe), self.interval)
            for probe in self.probes
            if probe.sooner_in_doubt
        }

    @property
    def shifts(self) -> Mapping[str, float]:
        """Seconds by which the schedules of the rarer probes are offset from the rounds."""
        apart = self.between_rounds
        return {
            probe.name: shift(self.target.name, probe.name, self.period(probe), apart)
            for probe in self.probes
        }

    def period(self, probe: Probe) -> float:
        """Seconds between two readings of a probe; one that is derived comes every interval."""
        tuning = self.target.probes.get(probe.name)
        return (tuning.every if tuning else None) or probe.every or self.interval

    @property
    def between_rounds(self) -> float:
        """Seconds from one round to the next where no probe comes more often than the interval.

        First rounds are spread over this: targets that are all asked less often than the interval
        would else begin together within an interval and leave the rest of their period empty.
        """
        return max(self.interval, min(self.periods.values(), default=0.0))

    def stale_after(self, probe: Probe) -> float:
        """Seconds after which a reading is stale: three periods, and the time of a single query."""
        return 3 * max(self.period(probe), self.interval) + 2 * self.deadline

    @property
    def longest_round(self) -> float:
        """Seconds after which a round that has not ended is stuck: every call at its deadline."""
        return self.deadline * (2 * len(self.probes) + 2) + 5.0


def plan(
    target: Target,
    known: Iterable[Probe],
    interval_seconds: float,
    deadline_seconds: float,
    learn_after_seconds: float = 600.0,
) -> Plan:
    """The probes a target gets: those switched on, host probes only where its files are."""
    chosen = tuple(
        probe
        for probe in known
        if (target.host or probe.engine != HOST)
        and (probe.name not in target.probes or target.probes[probe.name].enabled)
    )
    return Plan(target, chosen, interval_seconds, deadline_seconds, learn_after_seconds)


def shift(target: str, probe: str, period_seconds: float, interval_seconds: float) -> float:
    """Seconds by which a rare probe's schedule is offset from its target's rounds.

    Whole intervals, fixed by a hash of both names, so that probes of every minute or hour fall into
    different rounds: a thousand targets do not log in within the same interval, and one server does
    not get all its expensive probes at once.
    """
    rounds = max(1, math.floor(period_seconds / interval_seconds))
    return zlib.crc32(f"{target}/{probe}".encode()) % rounds * interval_seconds
