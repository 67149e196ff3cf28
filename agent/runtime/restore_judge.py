"""Why: a judge that starts anew knows nothing of what stands, least of all of what has gone since.

Promise: every trouble the desk has open is handed to the judge of its target, so that it clears
by readings and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incidents.model import Incident
from probes import Severity
from probes.judge import Recalled


def recalled(incidents: Iterable[Incident]) -> Mapping[str, tuple[Recalled, ...]]:
    """The troubles that stand, by target (or cluster)."""
    found: dict[str, list[Recalled]] = {}
    for incident in incidents:
        for trouble in incident.troubles:
            parts = trouble.fingerprint.split("/", 3)  # target/probe/measure/subject
            if trouble.severity is Severity.CLEAR or len(parts) != 4:
                continue
            target, probe, measure, subject = parts
            found.setdefault(target, []).append(
                Recalled(probe, measure, subject, trouble.severity, trouble.first_at)
            )
    return {target: tuple(each) for target, each in found.items()}
