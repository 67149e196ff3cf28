"""A probe that does not apply to a server is neither good nor blind."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from agent.metrics.readings import Latest, ServerFacts
from agent.metrics.target_health import targets
from agent.metrics.text_format import Board
from incidents.web.display.target_health import ProbeHealth, ProbeState
from probes import FailureKind, Measurement, Probe
from probes.fleet.observation import observed
from probes.fleet.plan import plan
from probes.postgresql.storage import archiver, checksums
from probes.words.cost import Cost
from tests.support.builders import a_failure, a_probe, a_reading, a_target

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_what_does_not_apply_here_is_not_counted_as_blind() -> None:
    probe = a_probe("backup_age", judged_on_failure="")
    watched = plan(a_target(), [probe], 15.0, 5.0)
    latest = Latest(Board(), monotonic)
    latest.declare(watched)
    failure = a_failure(FailureKind.UNSUPPORTED, "no path to the backups is configured")
    reading = a_reading("simpeg", "backup_age", at=NOW, measurements=(), failure=failure)
    latest.publish(observed(watched, probe, reading), ServerFacts(Cost()))
    (health,) = targets(latest, NOW, lambda fingerprint: "")
    assert [each.state for each in health.probes] == [ProbeState.UNUSED]
    assert health.state is ProbeState.UNUSED


def _shown(probe: Probe, *measurements: Measurement) -> ProbeHealth:
    watched = plan(a_target(), [probe], 15.0, 5.0)
    latest = Latest(Board(), monotonic)
    latest.declare(watched)
    reading = a_reading("simpeg", probe.name, at=NOW, measurements=measurements)
    latest.publish(observed(watched, probe, reading), ServerFacts(Cost()))
    ((health,),) = [each.probes for each in targets(latest, NOW, lambda fingerprint: "")]
    return health


def test_what_is_switched_off_is_not_used_and_says_why() -> None:
    off = _shown(checksums.PROBE, Measurement("data_checksums", 0.0))
    assert (off.state, off.why) == (ProbeState.UNUSED, checksums.PROBE.when_unused)
    assert "data_checksums" in off.why.id
    on = (Measurement("data_checksums", 1.0), Measurement("checksum_failures", 0.0, "a"))
    assert _shown(checksums.PROBE, *on).state is ProbeState.OK
    assert _shown(archiver.PROBE).state is ProbeState.UNUSED


def test_a_probe_that_merely_found_nothing_is_answered() -> None:
    assert _shown(a_probe("slots", judged_on_failure="")).state is ProbeState.OK
