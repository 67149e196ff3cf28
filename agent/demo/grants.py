"""The monitoring account of the demo, made with exactly what Sigap's probes declare.

Promise: not one right more than ``sigap grants`` prints, so that the demo shows what an
administrator will see on servers of their own.
"""

from __future__ import annotations

from probes import Grant, registry

USER = "sigap"


def lines(engine: str, flavour: str) -> list[str]:
    """The declared rights, as SQL, each once and in the order of declaration."""
    wanted: tuple[Grant, ...] = registry.engine(engine).base_grants
    for probe in registry.probes_for(engine):
        wanted += probe.grants
    found = [grant.sql for grant in wanted if grant.flavour == flavour]
    return list(dict.fromkeys(found))
