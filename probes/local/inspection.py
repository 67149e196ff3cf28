"""How this host is looked at while a server is in trouble: in bounded time, and told when in vain.

Why: a look at a dead mount or at somebody else's process must neither hang nor pass for "nothing
there".
"""

from __future__ import annotations

from datetime import UTC, datetime

import psutil

from probes import failure_text
from probes.local.mounts import FailingError, StuckError
from probes.model import ProbeError, Text, Words
from probes.wire import deadline

SECONDS_PER_LOOK = 1.0

CANNOT_LOOK = (StuckError, FailingError, OSError, RuntimeError, psutil.Error, ProbeError)
"""RuntimeError: psutil met a line of /proc/net it does not know."""

DOES_NOT_ANSWER = Text("tidak menjawab", "does not answer")


def seconds() -> float:
    """How long one look may take now."""
    return min(SECONDS_PER_LOOK, deadline.remaining() / 3)


def unseen(error: Exception) -> Text:
    """That something could not be looked at, and why."""
    return Text("tidak dapat dilihat: {why}", "could not be looked at: {why}").format(
        why=why(error)
    )


def why(error: Exception) -> Words:
    """The reason, in both languages where it is ours."""
    if isinstance(error, ProbeError):
        return failure_text.shown(error.failure)
    if isinstance(error, StuckError):
        return Text("{mount} {state}", "{mount} {state}").format(
            mount=error.mount, state=DOES_NOT_ANSWER
        )
    return str(error)


def moment(at: datetime) -> str:
    """An instant as every table writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
