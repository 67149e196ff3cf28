"""Restores judge state from open incidents after a restart, so that findings clear by readings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incidents.model import Incident
from probes import Fingerprint, Severity
from probes.judge import Recalled


def recalled(incidents: Iterable[Incident]) -> Mapping[str, tuple[Recalled, ...]]:
    """The open findings, by target (or cluster)."""
    found: dict[str, list[Recalled]] = {}
    for incident in incidents:
        for trouble in incident.troubles:
            if trouble.severity is Severity.CLEAR:
                continue
            of = Fingerprint.parse(trouble.fingerprint)
            found.setdefault(of.target, []).append(
                Recalled(of.probe, of.measure, of.subject, trouble.severity, trouble.first_at)
            )
    return {target: tuple(each) for target, each in found.items()}
