"""Settings under which a crash or a power cut loses committed data.

They are switched off for an import and stay off. Each risky setting is named with its value and its
consequence; a server that must not stay as it is (emergency mode, redo log off) is a measure of its
own.
Sources: MySQL 8.4 manual, InnoDB Startup Options; Binary Log; MariaDB, innodb_doublewrite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import is_on, number, status, variables
from probes.words.tables import NONE

_NAMES = (
    "innodb_flush_log_at_trx_commit", "sync_binlog", "innodb_force_recovery", "innodb_doublewrite",
    "log_bin", "innodb_checksum_algorithm",
)  # fmt: skip

_WHY: Mapping[str, Text] = {
    "innodb_flush_log_at_trx_commit": Text(
        "the last second of commits is lost when the machine dies"
    ),
    "sync_binlog": Text("the binary log may lose commits that the data has: replicas drift apart"),
    "innodb_force_recovery": Text(
        "the server runs in emergency mode: data is damaged, and writes may damage more"
    ),
    "innodb_doublewrite": Text("a page written by half cannot be recovered"),
    "innodb_redo_log": Text("redo logging is disabled: the server will not come back from a crash"),
    "innodb_checksum_algorithm": Text("a damaged page will not be noticed"),
}


def risks(settings: Mapping[str, str], redo_enabled: str) -> dict[str, tuple[int, str]]:
    """Setting to its risk (0 none, 1 a risk, 2 severe) and its value."""

    def said(name: str) -> str:
        return settings.get(name, "")

    found: dict[str, tuple[int, str]] = {}
    if name := said("innodb_flush_log_at_trx_commit"):
        # MariaDB's 3 is MySQL's 1 with one more sync
        found["innodb_flush_log_at_trx_commit"] = (int(name not in {"1", "3"}), name)
    if is_on(settings, "log_bin") and (name := said("sync_binlog")):
        found["sync_binlog"] = (int(name == "0"), name)
    if (level := number(settings, "innodb_force_recovery")) is not None:
        found["innodb_force_recovery"] = (2 if level > 0 else 0, f"{level:.0f}")
    if name := said("innodb_doublewrite"):
        # DETECT_ONLY notices a torn page and cannot repair it
        risky = name.upper() in {"OFF", "0", "FALSE", "DETECT_ONLY"}
        found["innodb_doublewrite"] = (int(risky), name)
    if name := said("innodb_checksum_algorithm"):
        found["innodb_checksum_algorithm"] = (int(name.lower().endswith("none")), name)
    if redo_enabled:
        found["innodb_redo_log"] = (2 if redo_enabled.upper() == "OFF" else 0, redo_enabled)
    return found


def read(session: Session) -> Iterator[Measurement]:
    """How many settings risk data loss in a crash, and how many must not stay as they are."""
    found = _risks(session)
    risky = {name: each for name, each in found.items() if each[0] == 1}
    severe = {name: each for name, each in found.items() if each[0] == 2}
    yield Measurement("unsafe_settings", float(len(risky)), detail={"which": told(risky)})
    yield Measurement("emergency_settings", float(len(severe)), detail={"which": told(severe)})


def _risks(session: Session) -> dict[str, tuple[int, str]]:
    redo = status(session, "Innodb_redo_log_enabled").get("innodb_redo_log_enabled", "")
    return risks(variables(session, *_NAMES), redo)


def told(found: Mapping[str, tuple[int, str]]) -> Text:
    """The settings with their values and consequences."""
    return Text.joined(
        "; ",
        [
            Text("{name} = {value} ({why})", name=name, value=value, why=_WHY[name])
            for name, (_, value) in found.items()
        ],
    )


_RISKS = (
    NONE,
    Text("loss in a crash"),
    Text("severe"),
)


def exhibits(session: Session) -> Iterator[Exhibit]:
    """Every setting checked, with its value and its risk."""
    yield Exhibit(
        Text("Durability settings"),
        headings("setting", "value", "risk", "what it costs"),
        tuple(
            (
                name,
                value,
                _RISKS[risk],
                _WHY[name] if risk else "",
            )
            for name, (risk, value) in _risks(session).items()
        ),
    )


PROBE = Probe(
    name="durability_settings",
    engine="mysql",
    question=Text("Are there settings under which a crash loses data?"),
    measures=(
        Measure("unsafe_settings", "", "Settings that risk loss or damage in a crash"),
        Measure("emergency_settings", "", "Settings that no server may keep"),
    ),
    thresholds=(
        Threshold(
            measure="unsafe_settings",
            title=Text("{target}: settings that are unsafe in a crash: {which}"),
            hint=Text("On purpose? Note who and until when. If not: set it back, in my.cnf too."),
            family="durability",
            warning=1.0,
            clear_after=1,
        ),
        Threshold(
            measure="emergency_settings",
            title=Text("{target} runs in a state of emergency: {which}"),
            hint=Text("Keep applications from writing. Take a dump, rebuild, restore."),
            family="durability",
            critical=1.0,
            clear_after=1,
        ),
    ),
    read=read,
    every=300.0,
    exhibits=exhibits,
    runbook=Text(
        "1. Who changed it, and what for? 2. innodb_force_recovery: keep applications from "
        "writing; dump, rebuild. 3. The others: set back by SET GLOBAL and my.cnf, then make "
        "sure the last backup is whole."
    ),
)
