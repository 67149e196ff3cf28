"""Commands ``sigap try``, ``sigap probes`` and ``sigap grants``.

``try`` has the exit codes of a Nagios plugin (0 ok, 1 warning, 2 critical, 3 unknown), with
performance data in the first line. One bad reading is enough here, without a streak.
"""

from __future__ import annotations

import argparse
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.commands.words import (
    language_of,
    language_without_config,
    print_json,
    table,
    target_named,
)
from agent.config import Config, find, load
from agent.errors import LocalizedError, in_language
from files.problems import meant
from probes import (
    CONNECTION_KINDS,
    Failure,
    Grant,
    Limits,
    Probe,
    Reading,
    Severity,
    Target,
    Text,
    Tuning,
    registry,
)
from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from probes.fleet.observation import DERIVED
from probes.fleet.plan import plan
from probes.judge import Judge, tuned
from probes.runner import Owner
from probes.words.engine import NoAccountName
from probes.words.failure_text import why
from probes.words.finding import Finding
from probes.words.not_applicable import why_unused
from probes.words.units import measured, written

PLACEHOLDER = "CHANGE-ME"  # placeholder of the password in a declared grant
UNKNOWN = 3
WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", UNKNOWN: "UNKNOWN"}
_NO_PROBE = Text("no probe '{name}'; {meant}")
_NO_ENGINE = Text("no engine '{name}'; {meant}")
_NO_CANARY = Text("there is no write canary for {name}")
_HEADS = (
    Text("ENGINE"),
    Text("PROBE"),
    Text("WARNING"),
    Text("CRITICAL"),
    Text("QUESTION"),
)
_ACCOUNT = Text("The account with which Sigap watches {flavour}; run as an administrator.")
_PASSWORD = Text("Its password was made up just now: put it into the target's password_file.")
_NOTHING = Text("nothing to report")
_UNASKED = Text("{n} more probes could not ask without that connection")
_UNUSED = Text("not used: {why}")
_WORST = (2, 1, UNKNOWN, 0)


@dataclass(frozen=True, slots=True)
class Tried:
    """One probe's reading with its verdicts."""

    probe: Probe
    reading: Reading
    findings: tuple[Finding, ...]
    code: int


def attempt(given: argparse.Namespace) -> int:
    """``sigap try TARGET [PROBE]``."""
    config = load(find(given.config))
    language = language_of(given, config)
    with in_language(language):
        return _attempt(given, config, language)


def _attempt(given: argparse.Namespace, config: Config, language: str) -> int:
    target = target_named(given.target, config)
    chosen = plan(
        target, registry.probes_for(target.engine), config.interval, config.deadline
    ).probes
    if given.probe is not None:
        known = {probe.name: probe for probe in registry.probes_for(target.engine)}
        if given.probe not in known:
            raise LocalizedError(
                _NO_PROBE.format(name=given.probe, meant=meant(given.probe, known))
            )
        chosen = (known[given.probe],)
    owner = Owner(target, registry.engine(target.engine), config.deadline)
    judge, eager = Judge(), _eager(target, chosen)
    by_name = {probe.name: probe for probe in chosen}
    tried = []
    for reading in owner.round(chosen, lambda: datetime.now(UTC)):
        probe = by_name[reading.probe]
        findings = tuple(judge.assess(eager, probe, reading).findings)
        tried.append(Tried(probe, reading, findings, _code(probe, reading, findings)))
    if given.probe is None:  # all probes were run: leave out those that do not apply here
        tried = [t for t in tried if why_unused(t.probe, t.reading) is None]
    owner.drop()
    code = next(c for c in _WORST if any(t.code == c for t in tried) or c == 0)
    if given.json:
        print_json({"target": target.name, "status": WORDS[code], "probes": _listed(tried)})
    else:
        print(_told(target, tried, code, language))
    return code


def _eager(target: Target, chosen: tuple[Probe, ...]) -> Target:
    """The target with limits that raise at the first bad reading."""
    probes = {}
    for probe in chosen:
        tuning = target.probes.get(probe.name, Tuning())
        limits = {
            each.measure: replace(tuning.thresholds.get(each.measure, Limits()), raise_after=1)
            for each in probe.thresholds
        }
        probes[probe.name] = replace(tuning, thresholds=limits)
    return replace(target, probes=probes)


def _code(probe: Probe, reading: Reading, findings: tuple[Finding, ...]) -> int:
    failure = reading.failure
    if failure is not None and not (failure.kind in CONNECTION_KINDS and probe.judged_on_failure):
        return UNKNOWN
    return int(max((finding.severity for finding in findings), default=Severity.CLEAR))


def _told(target: Target, tried: list[Tried], code: int, language: str) -> str:
    asked = _without_echoes(tried)
    bad = sorted((t for t in asked if t.code), key=lambda t: _WORST.index(t.code))
    first = all_clear(len(tried), language)
    if bad or [each for each in tried if why_unused(each.probe, each.reading)]:
        first = _sentences((bad or tried)[0], language)[0]
    numbers = _performance(target, tried)
    lines = [f"SIGAP {WORDS[code]} - {_safe(first)}" + (f" | {numbers}" if numbers else "")]
    for each in bad + [t for t in asked if not t.code]:
        said = _sentences(each, language)
        lines += [f"{WORDS[each.code]:8} {each.probe.name}: {_safe(sentence)}" for sentence in said]
    if unasked := len(tried) - len(asked):
        lines.append(f"{WORDS[UNKNOWN]:8} {_UNASKED.format(n=unasked).said_in(language)}")
    return "\n".join(lines)


def _without_echoes(tried: list[Tried]) -> list[Tried]:
    """A connection failure shown once: by the first probe that met it."""
    told: list[Failure] = []
    kept = []
    for each in tried:
        failure = each.reading.failure
        if failure is not None and failure.kind in CONNECTION_KINDS:
            if failure in told:
                continue
            told.append(failure)
        kept.append(each)
    return kept


def all_clear(count: int, language: str) -> str:
    """The number of probes, and that none has a finding."""
    if count == 1:
        return Text("1 probe, all clear").said_in(language)
    text = Text("{n} probes, all clear")
    return text.format(n=count).said_in(language)


def _sentences(tried: Tried, language: str) -> list[str]:
    """A probe's findings, the worst first, with the next move."""
    failure = tried.reading.failure
    standing = sorted(tried.findings, key=lambda f: -f.severity)
    said = [
        ". ".join(part.rstrip(".") for part in (f.title.said_in(language), f.hint.said_in(language))
        if part) for f in standing if f.severity > Severity.CLEAR
    ]  # fmt: skip
    if not said and failure is not None:
        hint, message = failure.hint.said_in(language), why(failure).said_in(language)
        said = [f"{message}. {hint}" if hint else message]
    unused = why_unused(tried.probe, tried.reading)
    if not said and unused is not None:
        said = [_UNUSED.format(why=unused).said_in(language)]
    if not said:
        units = {measure.name: measure.unit for measure in tried.probe.measures}
        values = [
            f"{m.measure}{f'[{m.subject}]' if m.subject else ''} "
            f"{measured(m.measure, m.value, units[m.measure]).said_in(language)}"
            for m in tried.reading.measurements
        ]
        said = [", ".join(values) or _NOTHING.said_in(language)]
    return said


def _safe(sentence: str) -> str:
    """One line without the bar that begins performance data."""
    return " ".join(sentence.replace("|", "/").split())


def _performance(target: Target, tried: list[Tried]) -> str:
    """``'label'=value[unit];warning;critical`` as Nagios reads it."""
    parts = []
    for each in tried:
        given = target.probes.get(each.probe.name, Tuning()).thresholds
        limits = {
            f.measure: tuned(f, given.get(f.measure, Limits())) for f in each.probe.thresholds
        }
        units = {measure.name: measure.unit for measure in each.probe.measures}
        for m in each.reading.measurements:
            unit = {"seconds": "s", "bytes": "B"}.get(units[m.measure], "")
            label = f"{m.measure}[{m.subject}]" if m.subject else m.measure
            label = label.replace("'", "''").replace("=", "_")
            declared = limits.get(m.measure)
            edges = (declared.warning, declared.critical) if declared else (None, None)
            below = declared is not None and not declared.above
            bounds = ";".join(
                "" if e is None else (f"{_decimal(e)}:" if below else _decimal(e)) for e in edges
            )
            parts.append(f"'{label}'={_decimal(m.value)}{unit};{bounds}".rstrip(";"))
    return " ".join(parts)


def _decimal(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _listed(tried: list[Tried]) -> list[dict[str, object]]:
    return [
        {
            "probe": each.probe.name,
            "status": WORDS[each.code],
            "at": each.reading.at,
            "duration_seconds": each.reading.duration_seconds,
            "measurements": each.reading.measurements,
            "failure": each.reading.failure,
            "findings": [f for f in each.findings if f.severity > Severity.CLEAR],
        }
        for each in tried
    ]


def listing(given: argparse.Namespace) -> int:
    """``sigap probes``: all probes, including those derived from other readings."""
    found = {name: registry.probes_for(name) for name in registry.engine_names()}
    found[DERIVED] = EVERY_DERIVED_PROBE
    if given.json:
        print_json(
            [
                {
                    "engine": engine,
                    "probe": probe.name,
                    "question": probe.question,
                    "every": probe.every,
                    "measures": probe.measures,
                    "thresholds": probe.thresholds,
                }
                for engine, probes in found.items()
                for probe in probes
            ]
        )
        return 0
    language = language_without_config(given)
    rows: list[tuple[str, ...]] = []
    for engine, probes in found.items():
        for probe in probes:
            rows.append((engine, probe.name, "", "", probe.question.said_in(language)))
            for each in probe.thresholds:
                unit = next(m.unit for m in probe.measures if m.name == each.measure)
                limits = [
                    "-" if value is None else written(value, unit).said_in(language)
                    for value in (each.warning, each.critical)
                ]
                rows.append((engine, f"  {each.measure}", *limits, ""))
    print(table([head.said_in(language) for head in _HEADS], rows))
    return 0


def grants(given: argparse.Namespace) -> int:
    """``sigap grants ENGINE``: the account and every right, each with its reason."""
    language = language_without_config(given)
    with in_language(language):
        return _grants(given, language)


def _grants(given: argparse.Namespace, language: str) -> int:
    engines = [registry.engine(name) for name in registry.engine_names()]
    engine = next((each for each in engines if given.flavour in each.flavours), None)
    if engine is None:
        flavours = [flavour for each in engines for flavour in each.flavours]
        raise LocalizedError(
            _NO_ENGINE.format(name=given.flavour, meant=meant(given.flavour, flavours))
        )
    declared = list(engine.base_grants)
    for probe in registry.probes_for(engine.name):
        declared += probe.grants
    if given.canary:
        if "canary" not in engine.options:
            raise LocalizedError(_NO_CANARY.format(name=given.flavour))
        declared += engine.options["canary"]
    needed: dict[str, Grant] = {}
    for grant in declared:
        if grant.flavour == given.flavour:
            needed.setdefault(grant.sql, grant)
    script = engine.script
    try:
        user = script.account(given.user or "sigap")
    except NoAccountName as error:
        raise LocalizedError(error.sentence) from None
    note = script.comment
    print(f"{note} {_ACCOUNT.format(flavour=given.flavour).said_in(language)}")
    if any(PLACEHOLDER in grant.sql for grant in needed.values()):
        print(f"{note} {_PASSWORD.said_in(language)}")
    password = secrets.token_urlsafe(18)
    for grant in needed.values():
        sql = grant.sql.format(user=user).rstrip(";").replace(PLACEHOLDER, password)
        print(f"\n{note} {grant.why.said_in(language)}\n{sql}{script.end}")
    return 0
