"""Finds engines and probes by scanning folders: a new probe is one file, an engine one folder.

A package under ``probes/`` that declares ``ENGINE`` is an engine; ``probes/host`` holds the probes
that every target on this host gets. A module that declares ``PROBE`` is a probe and has its name.
An engine's driver is imported only when that engine is requested.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import probes
from probes.model import Probe
from probes.words.engine import Engine

HOST = "host"
SHARED = frozenset({"fleet", "i18n", "local", "templates", "wire", "words"})
"""Folders that several engines use; neither an engine nor a place for probes to be found in."""


class RegistryError(Exception):
    """A probe or engine is declared incorrectly, or its driver is missing; one sentence."""


@cache
def engine_names() -> tuple[str, ...]:
    """The valid values of ``engine:`` in the configuration, without importing any driver."""
    found = pkgutil.iter_modules(probes.__path__)
    return tuple(sorted(m.name for m in found if m.ispkg and m.name not in {HOST, *SHARED}))


@cache
def engine(name: str) -> Engine:
    """The engine of that name. Raises ``RegistryError`` when unknown or without its driver."""
    if name not in engine_names():
        raise RegistryError(f"unknown engine {name!r}; known: {', '.join(engine_names())}")
    declared = getattr(_load(f"probes.{name}"), "ENGINE", None)
    if not isinstance(declared, Engine) or declared.name != name:
        raise RegistryError(f"probes/{name}/__init__.py must declare ENGINE named {name!r}")
    return declared


@cache
def probes_for(engine_name: str) -> tuple[Probe, ...]:
    """Every probe a target of this engine gets: the engine's own, then the host's.

    The probe that decides whether the server can be used at all comes first.
    Raises ``RegistryError`` on an incorrect or duplicate declaration.
    """
    own = _scan(engine(engine_name).name)
    host = _scan(HOST)
    names = [probe.name for probe in own + host]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise RegistryError(f"probe declared twice for {engine_name}: {', '.join(sorted(doubles))}")
    return tuple(sorted(own, key=lambda p: (not p.judged_on_failure, p.name))) + host


def _scan(folder: str) -> tuple[Probe, ...]:
    """Every probe of a folder and of the rooms inside it."""
    top = f"probes.{folder}"
    found = []
    for module in pkgutil.walk_packages(_load(top).__path__, f"{top}."):
        declared = getattr(_load(module.name), "PROBE", None)
        if declared is not None:
            found.append(_checked(declared, folder, module.name))
    return tuple(found)


def _checked(declared: object, folder: str, path: str) -> Probe:
    where = path.replace(".", "/") + ".py"
    module = path.rpartition(".")[2]
    if not isinstance(declared, Probe):
        raise RegistryError(f"{where}: PROBE is not a Probe")
    if declared.name != module or declared.engine != folder:
        raise RegistryError(f"{where}: PROBE must be named {module!r} with engine {folder!r}")
    measures = {measure.name for measure in declared.measures}
    used = {threshold.measure for threshold in declared.thresholds}
    if declared.judged_on_failure:
        used.add(declared.judged_on_failure)
    if used - measures:
        raise RegistryError(f"{where}: no such measure: {', '.join(sorted(used - measures))}")
    return declared


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "probes":
            raise
        needed = f"{name} needs the package {error.name}: pip install sigap-db"
        raise RegistryError(needed) from error
