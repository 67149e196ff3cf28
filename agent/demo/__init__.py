"""The demo: a small real world that breaks and heals, for whoever wants to see Sigap work.

Promise: ``main(argv)`` is all that the command line needs (``sigap demo …``). Real servers, real
faults; nothing outside this package imports it, and nothing of it is loaded by a daemon that is
not a demo.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run ``sigap demo`` with the words that follow it; returns the exit code.

    Errors a person can act on are printed as one sentence on standard error and give 1 (2 for
    words that were not understood).
    """
    from agent.demo.command import run  # the servers' parts are loaded for a demo only

    return run(argv)
