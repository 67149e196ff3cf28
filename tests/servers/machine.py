"""Shared by all server fixtures: account, port, and waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.demo.servers.account import Account, choose
from agent.demo.servers.ports import free_port

__all__ = ["free_port", "ordinary_account", "ordinary_user", "until"]

STARTED_WITHIN_SECONDS = 60.0


def ordinary_account() -> Account:
    """The account of the servers: an ordinary one when we are root, since they refuse root."""
    return choose(os.geteuid())


def ordinary_user() -> str | None:
    """The name of that account; None when it is ourselves."""
    account = ordinary_account()
    return account.name if account.switch else None


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
