"""The table of causes and effects, and the reader of ``correlation.yaml``.

Every mistake in the table is reported when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

from files.problems import InvalidFileError, Problems
from files.strict_yaml import Entry, read
from probes import Severity, Text

_SHIPPED = Path(__file__).with_name("correlation.yaml")
ANY = "*"


class Scope(StrEnum):
    """Where an effect is, relative to its cause."""

    TARGET = "target"  # the same target
    SUBJECT = "subject"  # the same target and subject, or one of them names none
    VOLUME = "volume"  # the same subject on the same target or host
    REPLICAS = "replicas"  # another target of the cluster, the cause being its primary
    CLUSTER = "cluster"  # any target of the cluster
    FELLOWS = "fellows"  # two replicas of the cluster
    SIDES = "sides"  # two targets of the cluster, one of them the primary
    POOLERS = "poolers"  # a pooler of the cluster, the cause being on the server behind it
    PRIMARY = "primary"  # the primary of the cluster, the cause being on a replica
    HOST = "host"  # the same target, or another one on the same host
    AGENT = "agent"  # any target that the same agent watches


@dataclass(frozen=True, slots=True)
class FindingPattern:
    """A kind of finding: a family, optionally only some of its measures."""

    family: str
    measures: tuple[str, ...] = ()
    but: tuple[str, ...] = ()  # with any family: these are not meant
    reasons: tuple[str, ...] = ()  # which of several kinds of failure; empty: whatever the reason


@dataclass(frozen=True, slots=True)
class CausalRule:
    """One cause and its effects."""

    name: str
    cause: FindingPattern
    severity: Severity  # the least at which the cause explains anything
    effects: tuple[FindingPattern, ...]
    scope: Scope
    root_only: bool
    because: Text
    unsure: Text  # said where nobody knows the cause's role yet; empty: then it explains nothing
    linger: timedelta  # how long after it cleared the cause explains what begins
    early: timedelta  # how long before the cause an effect may begin
    lead: timedelta  # how late the cause may come and still be the cause
    parts: timedelta | None  # an effect that outlasts its cause by so much is a fault of its own


@dataclass(frozen=True, slots=True)
class Table:
    """The causes and effects, in the order they are tried."""

    rules: tuple[CausalRule, ...]
    lead: timedelta  # of a rule that says nothing else


def load(path: Path | None = None) -> Table:
    """The shipped table, or the one in that file. Raises ``InvalidFileError``."""
    source = path or _SHIPPED
    problems = Problems()
    table = _table(read(source.read_text(encoding="utf-8"), str(source), problems))
    if problems.found:
        raise InvalidFileError(problems.found)
    return table


@cache
def shipped() -> Table:
    """The shipped table, read once."""
    return load()


def _table(top: Entry) -> Table:
    top.only(("lead_minutes", "early_minutes", "rules"))
    early, lead = top.number("early_minutes"), top.number("lead_minutes")
    rules = tuple(_rule(entry, early, lead) for entry in top.entries("rules"))
    names = [rule.name for rule in rules]
    for name in sorted({name for name in names if names.count(name) > 1}):
        top.wrong(f"two rules are called {name!r}", "rules")
    return Table(rules=rules, lead=timedelta(minutes=lead))


def _rule(entry: Entry, early_minutes: float, lead_minutes: float) -> CausalRule:
    times = ("linger_minutes", "early_minutes", "lead_minutes", "parts_minutes")
    entry.only(
        ("name", "cause", "effects", "scope", "root_only", *times, "because", "because_unsure")
    )
    cause = entry.entry("cause")
    cause.only(("family", "measures", "reasons", "severity"))
    severity, scope = cause.string("severity"), entry.string("scope")
    if severity not in ("warning", "critical"):
        cause.wrong("expected warning or critical", "severity")
    if scope not in frozenset(Scope):
        entry.wrong(f"expected one of: {', '.join(Scope)}", "scope")
    root_only = entry.boolean("root_only", False)
    parts = entry.number("parts_minutes", 0.0 if root_only else None)
    effects = entry.entries("effects")
    for effect in effects:
        effect.only(("family", "measures", "reasons", "but"))
    if not effects:
        entry.wrong("a cause needs at least one effect", "effects")
    return CausalRule(
        name=entry.string("name"),
        cause=_kind(cause),
        severity=Severity.WARNING if severity == "warning" else Severity.CRITICAL,
        effects=tuple(_kind(effect) for effect in effects),
        scope=Scope(scope) if scope in frozenset(Scope) else Scope.TARGET,
        root_only=root_only,
        because=entry.text("because"),
        unsure=entry.text("because_unsure", Text("")),
        linger=timedelta(minutes=entry.number("linger_minutes", 0.0)),
        early=timedelta(minutes=entry.number("early_minutes", early_minutes)),
        lead=timedelta(minutes=entry.number("lead_minutes", lead_minutes)),
        parts=timedelta(minutes=parts) if parts else None,
    )


def _kind(entry: Entry) -> FindingPattern:
    return FindingPattern(
        entry.string("family"),
        entry.strings("measures"),
        entry.strings("but"),
        entry.strings("reasons"),
    )
