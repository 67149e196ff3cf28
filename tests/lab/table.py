"""The lab's result table: scenario, engine, version, time, number of incidents, cause.

Workers write their rows as lines into ``build/lab``; the controlling process prints them and writes
``build/lab.md``.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.untouched import UNTOUCHED

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "build" / "lab"
PAGE = ROOT / "build" / "lab.md"

HEAD = """\
# The fault lab

Each row is a real fault on a real server, or a healthy state that must stay silent. *Rounds* are
readings of its probe until the incident was open; *asked for* is the time those rounds took;
*at most* is what they come to at the probe's own interval, the fault falling just after a reading.

"""


@dataclass(frozen=True)
class Row:
    """What one scenario came to."""

    scenario: str
    engine: str
    version: str
    rounds: int  # until the incident was open; for a healthy one, rounds watched
    seconds: float  # those rounds took
    at_most_seconds: float  # at the probe's own interval
    incidents: int
    cause: str  # the incident's title; empty for silence


def clear() -> None:
    """Forget the rows of the run before."""
    shutil.rmtree(ROWS, ignore_errors=True)


def add(row: Row) -> None:
    """Keep one row; each process writes a file of its own."""
    ROWS.mkdir(parents=True, exist_ok=True)
    with (ROWS / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def rows() -> list[Row]:
    """Every row of this run, engine by engine."""
    lines = [line for file in ROWS.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
    found = [Row(**json.loads(line)) for line in lines]
    return sorted(found, key=lambda row: (row.engine, row.version, not row.cause, row.scenario))


def page(found: list[Row]) -> str:
    """The table in Markdown, with a line that sums it up."""
    lines = ["| scenario | engine | rounds | asked for | at most | incidents | cause |"]
    lines.append("|---|---|---:|---:|---:|---:|---|")
    for row in found:
        cause = row.cause.replace("|", "\\|") or "silent, as it should be"
        at_most = f"{row.at_most_seconds:.0f} s" if row.cause else "-"
        lines.append(
            f"| {row.scenario} | {row.engine} {row.version} | {row.rounds} | {row.seconds:.2f} s "
            f"| {at_most} | {row.incidents} | {cause} |"
        )
    return f"{HEAD}{summary(found)}\n\n" + "\n".join(lines) + f"\n\n{_without()}\n"


def _without() -> str:
    """The probes that no fault is about."""
    lists = [f"{engine}: {', '.join(sorted(names))}" for engine, names in UNTOUCHED.items()]
    return f"No fault is about (reasons in tests/lab/untouched.py): {'; '.join(lists)}."


def summary(found: list[Row]) -> str:
    """How many faults on which servers, and how many healthy scenarios stayed silent."""
    faults = [row for row in found if row.cause]
    servers = sorted({f"{row.engine} {row.version}" for row in found})
    names = {(row.engine.split()[0], row.scenario) for row in faults}
    within = sum(row.incidents == 1 for row in faults)
    return (
        f"{len(faults)} faults injected ({len(names)} different) on {', '.join(servers)}: "
        f"{within} became exactly one incident with its cause named. "
        f"{len(found) - len(faults)} healthy scenarios watched, "
        f"{sum(row.incidents for row in found if not row.cause)} incidents."
    )


def write() -> str:
    """Write ``build/lab.md`` from this run's rows; its text, empty when the lab did not run."""
    found = rows()
    if not found:
        return ""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(found), encoding="utf-8")
    return PAGE.read_text(encoding="utf-8")
