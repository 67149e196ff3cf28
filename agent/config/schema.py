"""JSON Schema of agent.yaml, made from the models that check it."""

from __future__ import annotations

from typing import Any

from agent.config.models import RootSection
from probes import registry


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of agent.yaml, with the engines and probes of this installation."""
    made = RootSection.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "Sigap agent.yaml"
    target = made["$defs"]["TargetSection"]["properties"]
    target["engine"]["enum"] = list(registry.engine_names())
    names = {probe.name for each in registry.engine_names() for probe in registry.probes_for(each)}
    target["probes"]["propertyNames"] = {"enum": sorted(names)}
    return made
