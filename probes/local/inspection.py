"""Bounded inspection of this host while a server is down.

Inspecting a dead mount or another user's process must neither hang nor be taken for "nothing
there".
"""

from __future__ import annotations

import psutil

from probes.local.mounts import FailingError, StuckError
from probes.model import ProbeError, Text, Words
from probes.wire import deadline
from probes.words import failure_text

SECONDS_PER_LOOK = 1.0

CANNOT_LOOK = (StuckError, FailingError, OSError, RuntimeError, psutil.Error, ProbeError)
"""RuntimeError: psutil found a line of /proc/net that it cannot parse."""

DOES_NOT_ANSWER = Text("does not answer")


def seconds() -> float:
    """The time limit for one inspection now."""
    return min(SECONDS_PER_LOOK, deadline.remaining() / 3)


def unseen(error: Exception) -> Text:
    """States that something could not be inspected, and why."""
    return Text("could not be looked at: {why}", why=why(error))


def why(error: Exception) -> Words:
    """The reason, in both languages if it is Sigap's wording."""
    if isinstance(error, ProbeError):
        return failure_text.shown(error.failure)
    if isinstance(error, StuckError):
        return Text("{mount} {state}", mount=error.mount, state=DOES_NOT_ANSWER)
    return str(error)
