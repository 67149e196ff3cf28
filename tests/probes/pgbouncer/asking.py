"""Functions that run this engine's probes as the agent does, under the monitoring account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Measurement, Probe, Session, Target
from probes.pgbouncer.connect import open_session
from probes.wire import deadline
from tests.servers.pgbouncer import PgBouncer
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


def read(probe: Probe, pooler: PgBouncer, database: str = "") -> dict[tuple[str, str], Measurement]:
    """What the probe measures, by measure and subject."""
    with session_to(pooler.target(database=database)) as session:
        return {(m.measure, m.subject): m for m in probe.read(session)}


def exhibits(probe: Probe, pooler: PgBouncer) -> list[Told]:
    """What the probe would freeze now, in English."""
    assert probe.exhibits is not None
    with session_to(pooler.target()) as session:
        return all_told(probe.exhibits(session))
