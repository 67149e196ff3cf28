"""Creates the demo's monitoring account with exactly the rights that the probes declare.

No right beyond what ``sigap grants`` prints, so the demo shows what an administrator will see.
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
