"""Commands ``sigap run``, ``check-config``, ``schema`` and ``version``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys

from agent import log
from agent.config import find, load


def run(given: argparse.Namespace) -> int:
    """``sigap run``: until SIGTERM or SIGINT."""
    from agent.daemon import run as serve  # starts libraries that the other commands do not need

    log.set_up(debug=bool(os.environ.get("SIGAP_DEBUG")))
    code = serve(find(given.config))
    logging.shutdown()
    sys.stdout.flush()
    # A thread may still be held by a frozen server; the interpreter would wait for some of them.
    os._exit(code)


def check(given: argparse.Namespace) -> int:
    """``sigap check-config``: every problem at once; 2 if there is one."""
    config = load(find(given.config), thorough=True)
    for warning in config.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    count = len(config.targets)
    print(f"{config.file}: good, {count} target{'' if count == 1 else 's'}")
    return 0


def schema(given: argparse.Namespace) -> int:
    """``sigap schema``: for editors."""
    from agent.config.schema import schema as make  # loads every engine

    print(json.dumps(make(), indent=2))
    return 0


def version(given: argparse.Namespace) -> int:
    """``sigap version``."""
    from agent.metrics.registry import sigap_version  # only this command needs prometheus_client

    print(f"sigap {sigap_version()}")
    return 0
