"""Finds the system's Chromium; without one the tests fail with a clear message."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",  # Chromium refuses its sandbox to root, and only our own pages are shown
    "--headless",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found() -> str:
    """The browser's path: ``SIGAP_CHROMIUM``, else the first on PATH."""
    named = os.environ.get("SIGAP_CHROMIUM")
    candidates = (named,) if named else NAMES
    for name in candidates:
        path = shutil.which(name)
        if path:
            return path
    raise RuntimeError(
        f"no browser ({', '.join(candidates)}); as root on Debian: apt-get install -y chromium, "
        "or set SIGAP_CHROMIUM to the path of one"
    )


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window, closed on leaving."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found(), args=list(QUIET))
        try:
            yield running
        finally:
            running.close()
