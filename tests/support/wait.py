"""Waits for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def until(what: str, condition: Callable[[], T], seconds: float = 20.0) -> T:
    """The first true answer of ``condition``; fails the test, naming ``what``, when it never is."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)
