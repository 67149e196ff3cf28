"""The demo: real servers on this machine that can be broken and repaired.

``main(argv)`` is the only entry point (``sigap demo …``). Nothing outside this package imports it,
and a daemon that is not a demo loads nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run ``sigap demo`` with the arguments that follow it; returns the exit code.

    Errors a person can act on are printed as one sentence on standard error and return 1 (2 for
    unknown arguments).
    """
    from agent.demo.command import run  # the servers' parts are loaded for a demo only

    return run(argv)
