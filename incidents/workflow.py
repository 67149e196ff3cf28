"""What an incident is after an event, and whether a person may do a thing to it.

Pure: the same events under the same procedure always give the same incident. Nothing here
reads a clock or a store. ``objection`` is the one judge of actions: it greys the button on
the page and guards the interface with the same sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from incidents.model import Event, Incident
from incidents.procedure import Procedure
from incidents.rules import (
    Action,
    Claim,
    Dismiss,
    Dispense,
    Note,
    Refusal,
    RefusalKind,
    Sign,
    field_problems,
    held,
    normalise,
    objection,
    refusal,
)

__all__ = [
    "Action",
    "Claim",
    "Dismiss",
    "Dispense",
    "FoldError",
    "Note",
    "Refusal",
    "RefusalKind",
    "Sign",
    "apply",
    "field_problems",
    "fold",
    "held",
    "normalise",
    "objection",
    "refusal",
]


class FoldError(ValueError):
    """An event that cannot follow the ones before it: the ledger was not written by us."""


def apply(incident: Incident | None, event: Event, procedure: Procedure) -> Incident:
    """The incident after ``event``; ``None`` before an OPENED event.

    ``procedure`` is the one the incident opened under. Payload keys nobody knows are passed
    over. Raises ``FoldError`` when the event cannot follow (a step signed that does not wait,
    anything after the end but what the sweep finds late).
    """
    raise NotImplementedError


def fold(events: Iterable[Event], procedure: Procedure) -> Incident:
    """The incident its events add up to. Raises ``FoldError`` also when there are none."""
    raise NotImplementedError
