"""Makes a probe's memory older, where the server's own clock cannot be moved."""

from __future__ import annotations

from probes.local.growth import SIZES
from probes.model import Memory
from probes.mysql.storage.disk_growth import FILES_DUE
from probes.postgresql.storage.checkpoints import READINGS
from probes.postgresql.storage.disk_growth import SIZES_DUE


def seen_earlier(memory: Memory, seconds: float) -> None:
    """What a probe saw so far was seen that much earlier; what is sized rarely is due."""
    for samples in memory.of(SIZES, {}).values():
        for sample in samples:
            sample[0] -= seconds
    for reading in memory.of(READINGS, []):
        reading["now"] -= seconds
    for rare in (SIZES_DUE, FILES_DUE):
        memory.set(rare, 0.0)
