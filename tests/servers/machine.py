"""Shared by all server fixtures: account, port, and waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.demo.servers.ports import free_port

__all__ = ["free_port", "ordinary_user", "until"]

STARTED_WITHIN_SECONDS = 60.0


def ordinary_user() -> str | None:
    """Whom servers run as: nobody when we are root, since they refuse root; else ourselves."""
    return "nobody" if os.geteuid() == 0 else None


def until(condition: Callable[[], Any], what: str, seconds: float = STARTED_WITHIN_SECONDS) -> Any:
    """Wait until ``condition`` is true and return its value; fail the test naming ``what``."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)
