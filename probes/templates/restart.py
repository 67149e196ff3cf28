"""Detects a restart: a later start time than one seen before.

A start counts as a restart only if this agent saw the server before it, also before the agent's own
restart; the first start it sees of a server does not count. Shared by the engines.
"""

from __future__ import annotations

from probes.model import (
    KeptNote,
    Measure,
    Memory,
)

_STARTED = KeptNote[float]("started", float)
_RESTARTED = KeptNote[bool]("restarted", bool)

MEASURE = Measure(
    "since_restart_seconds",
    "seconds",
    "Since a restart that this agent saw both sides of; absent where it saw none.",
)


def restarted(memory: Memory, started: float, doubt_seconds: float) -> bool:
    """Whether this start (the server's Unix time) followed another one that was seen.

    ``doubt_seconds``: by how much two readings of the same start may differ.
    """
    before = memory.of(_STARTED, started)
    if abs(started - before) > doubt_seconds:
        memory.set(_STARTED, started)
        memory.set(_RESTARTED, True)
    return memory.get(_RESTARTED) or False
