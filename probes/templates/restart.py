"""Detects a restart: a later start time than one seen before.

A start counts as a restart only if this agent saw the server before it, also before the agent's own
restart; the first start it sees of a server does not count. Shared by the engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from probes.i18n.formats import duration
from probes.model import (
    Grant,
    KeptKey,
    Measure,
    Measurement,
    Memory,
    Probe,
    Session,
    Text,
    Threshold,
)

SAID_FOR_SECONDS = 900.0
"""How long a crash is reported."""

_STARTED = KeptKey[float]("started", float)
_RESTARTED = KeptKey[bool]("restarted", bool)

MEASURES = (
    Measure("uptime_seconds", "seconds", "Time since the last start or crash recovery."),
    Measure(
        "since_restart_seconds",
        "seconds",
        "Time since a restart that this agent observed; absent if there was none.",
    ),
    Measure("crash_recovered", "", "1 for a quarter of an hour after a crash recovery."),
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


def measured(
    uptime: float, restarted: bool, crashed: bool | None, detail: dict[str, object]
) -> Iterator[Measurement]:
    """The measurements of one reading.

    ``crashed``: whether the start followed a crash; None: this server does not show it. ``detail``
    has the words of the engine's titles, among them ``how`` where it crashed.
    """
    detail = {**detail, "since": duration(uptime)}
    yield Measurement("uptime_seconds", uptime, detail=detail)
    if restarted or crashed:
        yield Measurement("since_restart_seconds", uptime, detail=detail)
    if crashed is not None:
        fresh = crashed and uptime < SAID_FOR_SECONDS
        yield Measurement("crash_recovered", float(fresh), detail=detail)


def probe(
    engine: str,
    *,
    question: Text,
    read: Callable[[Session], Iterable[Measurement]],
    after_a_crash: Text,
    restarted_title: Text,
    after_a_restart: Text,
    grants: tuple[Grant, ...],
    runbook: Text,
) -> Probe:
    """The probe of an engine; ``after_a_crash`` and ``after_a_restart`` are its hints."""
    return Probe(
        name="restart",
        engine=engine,
        question=question,
        measures=MEASURES,
        thresholds=(
            Threshold(
                "crash_recovered",
                Text("{target}: {how}, {since} ago"),
                after_a_crash,
                "availability",
                critical=1.0,
                clear_after=1,
                headline=Text("{target}: {how}"),
            ),
            Threshold(
                "since_restart_seconds",
                restarted_title,
                after_a_restart,
                "restart",
                # Ten minutes is common practice; enough for a person to notice, and it only warns.
                warning=600.0,
                above=False,
                clear_after=1,
                headline=Text("{target} was restarted a short while ago"),
            ),
        ),
        read=read,
        every=30.0,
        grants=grants,
        runbook=runbook,
    )
