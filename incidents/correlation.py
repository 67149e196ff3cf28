"""One fault, one incident: which open incident a finding belongs to.

Which trouble explains which is a table (``correlation.yaml``), read in its order. A finding
joins as a symptom of what explains it, or as the root of what it explains; otherwise it
stands alone. Source: DESIGN section 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from incidents.model import Incident
from probes import Finding, Text


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause and its effects."""

    name: str
    because: Text


@dataclass(frozen=True, slots=True)
class Table:
    """The causes and effects, in the order they are tried."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a finding belongs. ``number`` empty: nowhere yet, it stands alone."""

    number: str = ""
    known: bool = False  # the incident already holds this fingerprint
    root: bool = False  # joins as the cause of what is there (re-titles the incident)
    because: Text = Text("", "")  # the table's words for the timeline


def load(path: Path | None = None) -> Table:
    """The shipped table, or the one in that file. Raises ValueError naming every problem."""
    raise NotImplementedError


def place(
    finding: Finding, open_incidents: Iterable[Incident], table: Table | None = None
) -> Placement:
    """Which of the open incidents ``finding`` belongs to, and as what."""
    raise NotImplementedError
