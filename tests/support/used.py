"""Records which real servers and programs a test run used, for its summary.

A server's fixture calls ``note`` when it starts one; the workers pass their lists to the
controlling process, which prints them at the end.
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
