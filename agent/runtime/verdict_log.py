"""Why: what was raised and is over again must be in the log also where no incident tells of it.

Promise: one line each time a verdict changes, never one for each reading: a warning when trouble
is raised, an information when it is over, with how long it stood.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from probes import Finding, Severity
from probes.words.units import duration

log = logging.getLogger("sigap.verdicts")

_NAMES: Final[Mapping[Severity, str]] = {
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


def changed(before: Finding | None, now: Finding) -> bool:
    """Whether the verdict is another than the one before; None: nothing was raised."""
    return now.severity != (before.severity if before is not None else Severity.CLEAR)


def tell(before: Finding | None, now: Finding) -> None:
    """Say in the log that a verdict has changed."""
    if now.severity > Severity.CLEAR:
        log.warning("%s: %s", _NAMES[now.severity], now.title.en)
    elif before is not None:  # its own title now holds the figures of a good reading
        log.info("clear after %s: %s", duration_of(before, now), before.title.en)


def duration_of(before: Finding, now: Finding) -> str:
    """How long it stood, from the first bad reading to the first good one."""
    return duration(max(0.0, (now.since - before.since).total_seconds())).en
