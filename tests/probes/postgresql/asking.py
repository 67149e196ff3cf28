"""Functions that run this engine's probes as the agent does, under the monitoring account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from probes import (
    Address,
    Failure,
    Limits,
    Measurement,
    Probe,
    ProbeError,
    Reading,
    Session,
    Target,
    Tuning,
)
from probes.judge import Judge
from probes.postgresql.connection.connect import open_session
from probes.wire import deadline
from tests.support.evidence import Told, all_told


@contextmanager
def session_to(target: Target, seconds: float = 10.0) -> Iterator[Session]:
    """A session, and a deadline over everything done with it."""
    with deadline.within(seconds):
        session = open_session(target, "test")
        try:
            yield session
        finally:
            session.close()


def read(probe: Probe, target: Target) -> dict[tuple[str, str], Measurement]:
    """What the probe measures, by measure and subject."""
    with session_to(target) as session:
        return {(m.measure, m.subject): m for m in probe.read(session)}


def values(probe: Probe, target: Target) -> dict[str, float]:
    """What the probe measures of the target itself."""
    return {name: m.value for (name, subject), m in read(probe, target).items() if not subject}


def exhibits(probe: Probe, target: Target) -> list[Told]:
    """What the probe would freeze now, in English."""
    assert probe.exhibits is not None
    with session_to(target) as session:
        return all_told(probe.exhibits(session))


def failure_of(target: Target, seconds: float = 5.0) -> Failure:
    """Why a login fails."""
    try:
        with session_to(target, seconds):
            raise AssertionError("the login succeeded")
    except ProbeError as error:
        return error.failure


def again(probe: Probe, session: Session) -> dict[tuple[str, str], Measurement]:
    """One more reading over the same session, with what the probe noted at the ones before."""
    return {(m.measure, m.subject): m for m in probe.read(session)}


def title_of(probe: Probe, found: dict[tuple[str, str], Measurement], measure: str) -> str:
    """What an office would read: the English title the judge writes of this measurement.

    The limits are moved so far that the value is beyond them.
    """
    (measurement,) = [m for m in found.values() if m.measure == measure]
    declared = next(t for t in probe.thresholds if t.measure == measure)
    limits = Limits(warning=measurement.value, critical=measurement.value, raise_after=1)
    target = Target(
        "simpeg",
        probe.engine,
        Address("db01", 5432, "sigap"),
        probes={probe.name: Tuning(thresholds={measure: limits})},
    )
    reading = Reading(target.name, probe.name, datetime.now(UTC), 0.0, (measurement,))
    findings = Judge().assess(target, probe, reading).findings
    (title,) = [f.title.en for f in findings if f.measure == declared.measure]
    return title
