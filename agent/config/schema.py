"""Why: an editor that knows the JSON Schema of agent.yaml helps before any file is saved.

Promise: the schema is made from the same models that check the file.
"""

from __future__ import annotations

from typing import Any

from agent.config.models import Root
from probes import registry


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of agent.yaml, with the engines and probes this copy knows."""
    made = Root.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "Sigap agent.yaml"
    target = made["$defs"]["TargetSection"]["properties"]
    target["engine"]["enum"] = list(registry.engine_names())
    names = {probe.name for each in registry.engine_names() for probe in registry.probes_for(each)}
    target["probes"]["propertyNames"] = {"enum": sorted(names)}
    return made
