"""How these tests ask: exactly as the agent does, under the monitoring account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import (
    Exhibit,
    Failure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Target,
    deadline,
)
from probes.postgresql.connect import open_session


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


def exhibits(probe: Probe, target: Target) -> list[Exhibit]:
    """What the probe would freeze now."""
    assert probe.exhibits is not None
    with session_to(target) as session:
        return list(probe.exhibits(session))


def failure_of(target: Target, seconds: float = 5.0) -> Failure:
    """Why a login fails."""
    try:
        with session_to(target, seconds):
            raise AssertionError("the login succeeded")
    except ProbeError as error:
        return error.failure
