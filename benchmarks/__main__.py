"""``make bench``: run the benchmarks and print the results as a document.

``--list`` lists the benchmarks, ``--only NAME`` runs one (may be repeated), ``--large`` uses the
sizes of the goals where the usual ones are smaller, ``--quick`` only checks that everything works.
``--ahead`` gives what is measured priority on a machine that others use too.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from datetime import UTC, datetime

from _pytest.outcomes import Failed

from benchmarks import report
from benchmarks.measure import go_ahead
from benchmarks.size import Size

NAMES = ("peers", "hung", "scale", "reporting", "desk", "start")


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; 1 when a benchmark could not be taken, with one sentence why."""
    given = _parser().parse_args(arguments)
    if given.list:
        for name in NAMES:
            print(f"{name:8} {_about(name)}")
        return 0
    size = Size.LARGE if given.large else Size.QUICK if given.quick else Size.USUAL
    print("# Measured\n", flush=True)
    print(report.machine(datetime.now(UTC), ahead=given.ahead), flush=True)
    if given.ahead:
        try:
            os.nice(-15)
            go_ahead(os.getpid())
        except PermissionError:
            print("sigap: --ahead needs root; run it as root or without", file=sys.stderr)
            return 2
    failed = 0
    for name in given.only or NAMES:
        print(f"## {name}: {_about(name)}\n", flush=True)
        started = time.monotonic()
        try:
            for part in importlib.import_module(f"benchmarks.{name}").run(size):
                print(part, flush=True)
        except (RuntimeError, OSError, Failed) as error:
            # Failed: a server of the test fixtures did not start, with the reason
            print(f"sigap: the benchmark {name} could not be taken: {error}", file=sys.stderr)
            failed = 1
        print(f"({name} took {time.monotonic() - started:.0f} s)\n", flush=True)
    return failed


def _about(name: str) -> str:
    module = importlib.import_module(f"benchmarks.{name}")
    return str(module.ABOUT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="what there is to measure")
    parser.add_argument("--only", action="append", choices=NAMES, help="this one; may be repeated")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--large", action="store_true", help="the goals' own sizes (much longer)")
    sizes.add_argument("--quick", action="store_true", help="see that it works; poor figures")
    parser.add_argument("--ahead", action="store_true", help="before others' work; needs root")
    return parser


if __name__ == "__main__":
    sys.exit(main())
