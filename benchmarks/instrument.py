"""The real daemon with each round's lateness recorded, which is not visible from outside.

Nothing else is changed. Called as ``python -m benchmarks.instrument agent.yaml notes.json``; the
notes are written at the end.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from unittest import mock

from agent import daemon, log
from agent.runtime.scheduler import Loop


def main(config: Path, notes: Path) -> int:
    """Run the daemon until SIGTERM; ``notes`` gets [monotonic start, seconds late, target]."""
    taken: list[tuple[float, float, str]] = []
    plain = Loop.round

    def watched(loop: Loop, started: float) -> None:
        taken.append((started, started - loop.timetable.next, loop.plan.target.name))
        plain(loop, started)

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log.set_up(debug=False)
    with mock.patch.object(Loop, "round", watched):
        code = daemon.run(config)
    notes.write_text(json.dumps(taken), encoding="utf-8")
    return code


if __name__ == "__main__":
    ended = main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.flush()
    os._exit(ended)  # a frozen server may still hold a thread
