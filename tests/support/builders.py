"""Test values with sensible defaults; a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from probes import (
    Address,
    Failure,
    FailureKind,
    Finding,
    Measure,
    Measurement,
    Probe,
    Reading,
    Session,
    Severity,
    Target,
    Text,
    Threshold,
)
from tests.support.words import both

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Monday 12.00 WITA


def a_target(name: str = "simpeg", **changes: Any) -> Target:
    """A PostgreSQL target on loopback."""
    changes.setdefault("engine", "postgresql")
    changes.setdefault("address", Address("127.0.0.1", 5432, "sigap"))
    return Target(name, **changes)


def a_finding(**changes: Any) -> Finding:
    """A critical finding that opens an incident."""
    values: dict[str, Any] = {
        "target": "simpeg",
        "probe": "availability",
        "measure": "up",
        "subject": "",
        "severity": Severity.CRITICAL,
        "title": both("simpeg mati", "simpeg is down"),
        "hint": Text(""),
        "family": "availability",
        "at": NOON,
        "since": NOON,
        "opens": True,
    }
    values |= changes
    if values["severity"] is Severity.CLEAR:
        values["opens"] = changes.get("opens", False)
    return Finding(**values)


def _up(session: Session) -> list[Measurement]:
    return [Measurement("up", 1.0)]


def a_probe(name: str = "availability", **changes: Any) -> Probe:
    """A probe that reads ``up`` = 1, critical at 0 after one reading."""
    values: dict[str, Any] = {
        "name": name,
        "engine": "postgresql",
        "question": both("Hidup?", "Is it up?"),
        "measures": (Measure("up", "", "Whether it answers"),),
        "thresholds": (
            Threshold(
                "up", both("{target} mati", "{target} is down"), Text(""), "availability",
                critical=0.0, above=False,
            ),
        ),
        "read": _up,
        "judged_on_failure": "up",
    }  # fmt: skip
    return Probe(**(values | changes))


def a_reading(target: str = "simpeg", probe: str = "availability", **changes: Any) -> Reading:
    """A reading of ``up`` = 1."""
    values: dict[str, Any] = {
        "at": NOON,
        "duration_seconds": 0.01,
        "measurements": (Measurement("up", 1.0),),
    }
    values |= changes
    if values.get("failure") is not None:
        values["measurements"] = ()
    return Reading(target, probe, **values)


def a_failure(kind: FailureKind = FailureKind.REFUSED, message: str = "refused") -> Failure:
    return Failure(kind, message)
