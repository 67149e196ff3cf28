"""Prints a run as a document: facts of the machine, then one Markdown table each.

A figure that could not be measured is a word, never a blank.
"""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import psutil

Cell = str | float | int


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table; the first column is words, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(written(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def written(cell: Cell) -> str:
    """A figure with three digits that count; integers with thousands apart."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    if math.isnan(cell):
        return "not measured"
    if cell == 0 or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.{max(0, 2 - math.floor(math.log10(abs(cell))))}f}"


def times(ours: float, theirs: float) -> str:
    """A ratio as text."""
    return "not measured" if not theirs or math.isnan(ours) else f"{ours / theirs:.2f}x"


def goal(met: bool) -> str:
    """How a measured goal ended."""
    return "met" if met else "**missed**"


def machine(now: datetime, *, ahead: bool = False) -> str:
    """What was measured on, and how busy it already was."""
    memory = psutil.virtual_memory().total / 2**30
    one, five, fifteen = os.getloadavg()
    rows: list[tuple[str, str]] = [
        ("when", f"{now:%Y-%m-%d %H:%M} UTC"),
        ("processor", f"{_processor()}, {os.cpu_count()} cores, {memory:.1f} GiB"),
        ("system", f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"),
        (
            "libraries",
            f"psycopg2 {version('psycopg2-binary')}, PyMySQL {version('pymysql')}, "
            f"SQLite {sqlite3.sqlite_version}",
        ),
        (
            "load before the run",
            f"{one:.2f}, {five:.2f}, {fifteen:.2f} (1, 5, 15 minutes)"
            + (", and we go ahead of it (nice -15)" if ahead else ""),
        ),
    ]
    return table(("machine", "fact"), rows)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
