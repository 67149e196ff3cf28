"""Makes a probe's memory older, where the server's own clock cannot be moved."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


def seen_earlier(memory: MutableMapping[str, Any], seconds: float) -> None:
    """What a probe saw so far was seen that much earlier; what is sized rarely is due."""
    for samples in memory.get("sizes", {}).values():  # probes.growth
        for sample in samples:
            sample[0] -= seconds
    for reading in memory.get("readings", ()):  # checkpoints
        reading["now"] -= seconds
    for rare in ("sizes_due", "files_due"):
        memory[rare] = 0.0
