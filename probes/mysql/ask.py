"""Settings, counters and growth rates, shared by most MySQL probes.

Every SHOW GLOBAL makes the server write its whole list, 0.2 ms of its CPU, however few names are
wanted. Counters are therefore read once a round, for all names that probes used on this login, and
settings that are known to exist with ``SELECT @@global``, a tenth of the cost.

A name this version does not have is absent from the answer, never 0. Rates use the server's own
``Uptime``, so neither a restart nor a change of the wall clock can distort them.
"""

from __future__ import annotations

from collections.abc import Mapping

from probes.model import FailureKind, MemoryKey, ProbeError, Session

_SETTINGS = MemoryKey[dict[str, str | None]]("settings as shown; None: this version has none")
_ANSWERS = MemoryKey[dict[str, str]]("present settings")
_WANTED = MemoryKey[set[str]]("counters that probes of this login asked for")
_STATUS = MemoryKey[tuple[frozenset[str], dict[str, str]]]("counters asked for, and the answer")
_INSTALLS = MemoryKey[dict[str, str]]("how often something was installed")
_COUNTERS = MemoryKey[dict[str, float]]("counters of the last reading")

_INSTALLED = ("Com_install_plugin", "Com_install_component")
"""INSTALL PLUGIN, SONAME and COMPONENT, which add settings to a running server."""


def variables(session: Session, *names: str) -> dict[str, str]:
    """Global settings by name, in lower case, spelled as SHOW GLOBAL VARIABLES does."""
    wanted = [name.lower() for name in names]
    known = session.shared.login.of(_SETTINGS, {})
    answers = session.shared.round.of(_ANSWERS, {})
    if any(known.get(name, "") is None for name in wanted):
        _forget_absent(session, known)
    if not known.keys() >= set(wanted):
        answers |= _introduced(session, known, wanted)
    present = [name for name in wanted if known[name] is not None]
    if not answers.keys() >= set(present):
        try:
            answers |= _selected(session, known)
        except ProbeError as error:
            if error.failure.kind is not FailureKind.BLIND:
                raise
            known.clear()  # one is gone: UNINSTALL PLUGIN
            answers.clear()
            answers |= _introduced(session, known, wanted)
    return {name: answers[name] for name in wanted if name in answers}


def status(session: Session, *names: str) -> dict[str, str]:
    """Global counters and states by name, in lower case (SHOW GLOBAL STATUS).

    All values come from one instant of this round.
    """
    wanted = {name.lower() for name in names}
    ever = session.shared.login.of(_WANTED, set())
    asked, answers = session.shared.round.get(_STATUS) or (frozenset[str](), {})
    if not asked >= wanted:
        ever |= wanted
        answers = _shown(session, "STATUS", tuple(sorted(ever)))
        session.shared.round.set(_STATUS, (frozenset(ever), answers))
    return {name: value for name, value in answers.items() if name in wanted}


def _shown(session: Session, kind: str, names: tuple[str, ...]) -> dict[str, str]:
    marks = ", ".join(["%s"] * len(names))
    rows = session.rows(f"SHOW GLOBAL {kind} WHERE Variable_name IN ({marks})", names)
    return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}


def _forget_absent(session: Session, known: dict[str, str | None]) -> None:
    """Look again for absent settings once something has been installed."""
    installed = status(session, *_INSTALLED)
    if installed != session.shared.login.get(_INSTALLS):
        session.shared.login.set(_INSTALLS, installed)
        for name in [name for name, value in known.items() if value is None]:
            del known[name]


def _introduced(
    session: Session, known: dict[str, str | None], wanted: list[str]
) -> dict[str, str]:
    """Read settings of which it is not known whether this server has them."""
    if session.shared.login.get(_INSTALLS) is None:  # before, so that nothing comes in between
        session.shared.login.set(_INSTALLS, status(session, *_INSTALLED))
    found = _shown(session, "VARIABLES", tuple(wanted))
    known |= {name: found.get(name) for name in wanted}
    return found


def _selected(session: Session, known: Mapping[str, str | None]) -> dict[str, str]:
    """Every setting this server is known to have, with its present value."""
    present = [name for name, value in known.items() if value is not None]
    listed = ", ".join(f"@@global.{name} AS {name}" for name in present)
    row = session.rows(f"SELECT {listed}")[0]
    return {name: _spelled(row[name], known[name]) for name in present}


def _spelled(value: object, shown: str | None) -> str:
    """A value as SHOW prints it: SELECT returns switches as numbers."""
    if value is None:
        return ""
    if shown in {"ON", "OFF"} and value in {0, 1}:
        return "ON" if value else "OFF"
    return str(value)


def number(found: Mapping[str, str], *names: str) -> float | None:
    """The first of ``names`` that exists and is a number; ``None`` if none does."""
    for name in names:
        try:
            return float(found[name.lower()])
        except (KeyError, ValueError):
            continue
    return None


def is_on(found: Mapping[str, str], *names: str) -> bool:
    """Whether any of ``names`` exists and is switched on."""
    return any(found.get(name.lower(), "").upper() in {"ON", "1", "YES", "TRUE"} for name in names)


def growth(session: Session, counters: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """By how much each counter grew since the last reading, and over how many seconds.

    ``counters`` must hold ``uptime``. Empty and 0 at the first reading, after a restart of the
    server or of the agent, and while the server's clock of whole seconds has not moved.
    """
    before = session.memory.get(_COUNTERS) or {}
    seconds = counters["uptime"] - before.get("uptime", counters["uptime"])
    if before and seconds == 0:
        return {}, 0.0
    session.memory.set(_COUNTERS, dict(counters))
    if seconds < 0:
        return {}, 0.0
    grown = {name: value - before[name] for name, value in counters.items() if name in before}
    if any(value < 0 for value in grown.values()):  # FLUSH STATUS sets counters back
        return {}, 0.0
    return grown, seconds


def counted(found: Mapping[str, str]) -> dict[str, float]:
    """Every numeric answer, as ``growth`` takes them."""
    return {name: value for name in found if (value := number(found, name)) is not None}
