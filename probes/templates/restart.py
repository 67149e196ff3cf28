"""Detects a restart: a later start time than one seen before.

A start counts as a restart only if this agent saw the server before it, also before the agent's own
restart; the first start it sees of a server does not count. Shared by the engines.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from probes.model import KEPT, Measure

MEASURE = Measure(
    "since_restart_seconds",
    "seconds",
    "Since a restart that this agent saw both sides of; absent where it saw none.",
)


def restarted(memory: MutableMapping[str, Any], started: float, doubt_seconds: float) -> bool:
    """Whether this start (the server's Unix time) followed another one that was seen.

    ``doubt_seconds``: by how much two readings of the same start may differ.
    """
    kept = memory.setdefault(KEPT, {})
    before = kept.get("started")
    if before is None:
        kept["started"] = started
    elif abs(started - before) > doubt_seconds:
        kept["started"], kept["restarted"] = started, True
    return bool(kept.get("restarted"))
