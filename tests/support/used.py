"""Which real servers and programs a test run used, so that its summary can name them.

A server's fixture calls ``note`` when it starts one; the workers hand their lists to the
controlling process, which prints them at the end. A run that quietly used none would show.
"""

from __future__ import annotations

_noted: dict[str, int] = {}


def note(name: str, version: str) -> None:
    """Say that a real ``name`` (PostgreSQL, MariaDB, Prometheus, Chromium) of ``version`` runs."""
    what = f"{name} {version}"
    _noted[what] = _noted.get(what, 0) + 1


def noted() -> dict[str, int]:
    """What was noted in this process: name and version, and how many times started."""
    return dict(_noted)
