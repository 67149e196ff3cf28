"""A probe that does not apply to a server is neither good nor blind."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from agent.exposition import Board
from agent.health import targets
from agent.latest import Latest
from agent.scheduler import plan
from incidents.web.health import ProbeState
from probes import FailureKind
from probes.runner import Cost
from tests.support.builders import a_failure, a_probe, a_reading, a_target

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_what_does_not_apply_here_is_not_counted_as_blind() -> None:
    probe = a_probe("backup_age", judged_on_failure="")
    watched = plan(a_target(), [probe], 15.0, 5.0)
    latest = Latest(Board(), monotonic)
    latest.declare(watched)
    failure = a_failure(FailureKind.UNSUPPORTED, "no path to the backups is configured")
    reading = a_reading("simpeg", "backup_age", at=NOW, measurements=(), failure=failure)
    latest.update(watched, probe, reading, Cost())
    (health,) = targets(latest, NOW, lambda fingerprint: "")
    assert [each.state for each in health.probes] == [ProbeState.UNUSED]
    assert health.state is ProbeState.UNUSED
