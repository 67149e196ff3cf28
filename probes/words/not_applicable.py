"""Whether a probe applies to a server at all.

A feature that is switched off or not installed is neither good nor blind; it is shown as not used,
with the reason.
"""

from __future__ import annotations

from probes.model import NOTHING_SAID, FailureKind, Probe, Reading, Text
from probes.words.failure_text import why


def why_unused(probe: Probe, reading: Reading) -> Text | None:
    """Why the probe does not apply here, in words; None if it does.

    A probe that declares ``when_unused`` is not used where it measured nothing that it judges.
    """
    if reading.failure is not None:
        unsupported = reading.failure.kind is FailureKind.UNSUPPORTED
        return why(reading.failure) if unsupported else None
    judged = {threshold.measure for threshold in probe.thresholds}
    if any(each.measure in judged for each in reading.measurements):
        return None
    return None if probe.when_unused == NOTHING_SAID else probe.when_unused
