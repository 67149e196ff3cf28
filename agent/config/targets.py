"""Builds each ``Target`` from its section of agent.yaml.

Records every problem of a target in one pass: unknown keys, a bad address, an unreadable password
file, an unknown probe or measure, limits in the wrong order.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from agent.config.address import AddressError, Parsed, is_local, machine, parse
from agent.config.explain import explain
from agent.config.models import LimitsSection, TargetSection, TuningSection
from agent.config.secrets import FileSecret, SecretError
from agent.config.source import Source
from files.problems import Path, Problems, nearest
from probes import (
    Address,
    Expectations,
    Limits,
    Probe,
    Secret,
    Severity,
    Target,
    Threshold,
    Tuning,
    registry,
)
from probes.fleet.membership import KINDS

_SEVERITIES = {"warning": Severity.WARNING, "critical": Severity.CRITICAL}


def targets(source: Source) -> tuple[Target, ...]:
    """Every target without problems; the problems of the others are recorded."""
    written = source.tree.get("targets", [])
    if not isinstance(written, list):
        source.problems.at(("targets",), "must be a list (lines starting with '-')")
        return ()
    found: list[Target] = []
    first: dict[str, int] = {}
    for index, raw in enumerate(written):
        name = raw.get("name") if isinstance(raw, dict) else None
        if isinstance(name, str) and name in first:
            other = source.problems.origins[("targets", first[name])]
            source.problems.at(
                ("targets", index, "name"),
                f"{name!r} is taken by the target in {other.file}:{other.line}; names are unique",
            )
        elif isinstance(name, str):
            first[name] = index
        target = _target(source, ("targets", index), raw)
        if target is not None:
            found.append(target)
    return tuple(found)


def _target(source: Source, at: Path, raw: Any) -> Target | None:
    problems = source.problems
    before = len(problems.found)
    section: TargetSection | None = None
    try:
        section = TargetSection.model_validate(raw)
    except ValidationError as error:
        explain(error, TargetSection, at, problems)
    if not isinstance(raw, dict):
        return None
    known = _probes(problems, at, raw.get("engine"))
    parsed = _address(source, at, raw) if known is not None else None
    password = _password(source, at, raw, parsed)
    if known is not None:
        _check_tuning(problems, (*at, "probes"), raw.get("probes"), known)
    if section is None or parsed is None or len(problems.found) > before:
        return None
    both = {section.role, section.expects.role} - {None}
    if len(both) > 1:
        problems.at((*at, "expects", "role"), "contradicts the target's 'role'; keep one")
        return None
    place = registry.engine(section.engine).role
    if place and both:
        said = f"does not fit {section.engine}: such a target is always the cluster's {place}"
        problems.at((*at, "role"), said)
        return None
    address = parsed.address if password is None else replace(parsed.address, password=password)
    tuning = {name: _tuning(given) for name, given in section.probes.items()}
    _check_expected(problems, (*at, "expects"), section, known or ())
    for probe in known or ():
        _check_order(problems, (*at, "probes", probe.name), probe, tuning.get(probe.name))
    return _built(section, address, tuning)


def _check_expected(
    problems: Problems, at: Path, section: TargetSection, known: tuple[Probe, ...]
) -> None:
    """Expected members must be of a kind this engine's probes can see."""
    seen = {measure.subject for probe in known for measure in probe.measures}
    for kind in KINDS:
        name = f"{kind.name}s"
        if getattr(section.expects, name) and kind.label not in seen:
            said = f"no probe of {section.engine} can see {name}, so none could be missed"
            problems.at((*at, name), said)


def _built(section: TargetSection, address: Address, tuning: Mapping[str, Tuning]) -> Target:
    local = is_local(address) if section.local is None else section.local
    return Target(
        name=section.name,
        engine=section.engine,
        address=address,
        cluster=section.cluster,
        role=section.role or section.expects.role or registry.engine(section.engine).role,
        application=section.application,
        agency=section.agency,
        labels=dict(section.labels),
        volumes=dict(section.volumes),
        probes=tuning,
        host=socket.gethostname() if local else "",
        machine="" if local else machine(address),
        expects=Expectations(
            standbys=tuple(section.expects.standbys),
            slots=tuple(section.expects.slots),
            channels=tuple(section.expects.channels),
            members=tuple(section.expects.members),
            volumes=tuple(section.expects.volumes),
            upstream=section.expects.upstream,
        ),
    )


def _probes(problems: Problems, at: Path, engine: Any) -> tuple[Probe, ...] | None:
    """The probes of the engine; None (and a problem) when there is no such engine."""
    if not isinstance(engine, str):
        return None
    if engine == "mariadb":
        problems.at((*at, "engine"), "write 'mysql'; MariaDB is detected when connecting")
        return None
    if engine not in registry.engine_names():
        known = nearest(engine, registry.engine_names())
        problems.at((*at, "engine"), f"{engine!r} is not a known engine; {known}")
        return None
    try:
        return registry.probes_for(engine)
    except registry.RegistryError as error:
        problems.at((*at, "engine"), str(error))
        return None


def _address(source: Source, at: Path, raw: Mapping[str, Any]) -> Parsed | None:
    url = raw.get("url")
    if not isinstance(url, str):
        return None
    try:
        parsed = parse(url, registry.engine(str(raw["engine"])))
    except AddressError as error:
        source.problems.at((*at, "url"), str(error))
        return None
    if parsed.password_in_url and (*at, "url") not in source.substituted:
        source.problems.warn((*at, "url"), "contains a password; move it to password_file")
    return parsed


def _password(
    source: Source, at: Path, raw: Mapping[str, Any], parsed: Parsed | None
) -> Secret | None:
    problems = source.problems
    literal, file = raw.get("password"), raw.get("password_file")
    given = [key for key in ("password", "password_file") if raw.get(key)]
    if parsed is not None and parsed.password_in_url:
        given.append("url")
    if len(given) > 1:
        problems.at((*at, given[0]), f"the password is given twice ({', '.join(given)}); keep one")
    if isinstance(file, str) and file and source.logins:
        try:
            return FileSecret(file, problems.main.parent, source.environment)
        except SecretError as error:
            problems.at((*at, "password_file"), str(error))
    if isinstance(literal, str) and literal:
        if (*at, "password") not in source.substituted:
            problems.warn((*at, "password"), "must not be written here; move it to password_file")
        return Secret(literal)
    return None


def _check_tuning(problems: Problems, at: Path, raw: Any, known: tuple[Probe, ...]) -> None:
    if not isinstance(raw, dict):
        return
    by_name = {probe.name: probe for probe in known}
    for name, tuning in raw.items():
        probe = by_name.get(name)
        if probe is None:
            problems.at((*at, name), f"is not a probe of this engine; {nearest(name, by_name)}")
            continue
        limits = tuning.get("thresholds") if isinstance(tuning, dict) else None
        judged = [threshold.measure for threshold in probe.thresholds]
        for measure in limits if isinstance(limits, dict) else ():
            if measure not in judged:
                problems.at(
                    (*at, name, "thresholds", measure),
                    f"is not a measure {name} judges; {nearest(measure, judged)}",
                )


def _check_order(problems: Problems, at: Path, probe: Probe, tuning: Tuning | None) -> None:
    """Critical must be beyond warning, also when one of them is the probe's default."""
    for declared in probe.thresholds if tuning else ():
        given = tuning.thresholds.get(declared.measure) if tuning else None
        if given is None:
            continue
        warning = declared.warning if given.warning is None else given.warning
        critical = declared.critical if given.critical is None else given.critical
        if warning is None or critical is None or _in_order(declared, warning, critical):
            continue
        side = "at or above" if declared.above else "at or below"
        problems.at(
            (*at, "thresholds", declared.measure),
            f"critical ({critical:g}) must be {side} warning ({warning:g}); set both",
        )


def _in_order(threshold: Threshold, warning: float, critical: float) -> bool:
    return critical >= warning if threshold.above else critical <= warning


def _tuning(section: TuningSection) -> Tuning:
    limits = {measure: _limits(given) for measure, given in section.thresholds.items()}
    return Tuning(enabled=section.enabled, every=section.every, thresholds=limits)


def _limits(section: LimitsSection) -> Limits:
    return Limits(
        warning=section.warning,
        critical=section.critical,
        raise_after=section.raise_after,
        clear_after=section.clear_after,
        opens=_SEVERITIES[section.opens] if section.opens else None,
    )
