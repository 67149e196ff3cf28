"""The small questions most probes ask: settings, counters, and how fast a counter grows.

Promise: a name this version does not have is absent from the answer, never 0; a rate is taken over
the server's own ``Uptime``, so that neither a restart nor anybody's wall clock can bend it.
"""

from __future__ import annotations

from collections.abc import Mapping

from probes.model import Session


def variables(session: Session, *names: str) -> dict[str, str]:
    """Global settings by name, in lower case (SHOW GLOBAL VARIABLES)."""
    return _shown(session, "VARIABLES", names)


def status(session: Session, *names: str) -> dict[str, str]:
    """Global counters and states by name, in lower case (SHOW GLOBAL STATUS)."""
    return _shown(session, "STATUS", names)


def _shown(session: Session, kind: str, names: tuple[str, ...]) -> dict[str, str]:
    marks = ", ".join(["%s"] * len(names))
    rows = session.rows(f"SHOW GLOBAL {kind} WHERE Variable_name IN ({marks})", names)
    return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}


def number(found: Mapping[str, str], *names: str) -> float | None:
    """The first of ``names`` that is there and is a number; ``None`` where none is."""
    for name in names:
        try:
            return float(found[name.lower()])
        except (KeyError, ValueError):
            continue
    return None


def is_on(found: Mapping[str, str], *names: str) -> bool:
    """Whether any of ``names`` is there and switched on."""
    return any(found.get(name.lower(), "").upper() in {"ON", "1", "YES", "TRUE"} for name in names)


def growth(session: Session, counters: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """By how much each counter grew since the last reading, and over how many seconds.

    ``counters`` must hold ``uptime``. Empty and 0 at the first reading, after a restart of the
    server or of the agent, and while the server's clock of whole seconds has not moved.
    """
    before: Mapping[str, float] = session.memory.get("counters", {})
    seconds = counters["uptime"] - before.get("uptime", counters["uptime"])
    if before and seconds == 0:
        return {}, 0.0
    session.memory["counters"] = dict(counters)
    if seconds < 0:
        return {}, 0.0
    grown = {name: value - before[name] for name, value in counters.items() if name in before}
    if any(value < 0 for value in grown.values()):  # FLUSH STATUS sets counters back
        return {}, 0.0
    return grown, seconds


def counted(found: Mapping[str, str]) -> dict[str, float]:
    """Every answer that is a number, as ``growth`` takes them."""
    return {name: value for name in found if (value := number(found, name)) is not None}
