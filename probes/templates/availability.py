"""Whether the kept session answers, and whether the server has the expected role: shared limits."""

from __future__ import annotations

from probes.model import Measure, Text, Threshold

UP = Measure("up", "", "1 when a session that is already open gets an answer.")
ROLE_AS_EXPECTED = Measure("role_as_expected", "", "1 when the role is the configured one.")
ANSWERS_AGAIN = Text("answers again")


def up(hint: Text) -> Threshold:
    """A server that cannot be used is critical at the second reading in a row."""
    return Threshold(
        UP.name,
        Text("{target} {reason}"),
        hint,
        "availability",
        critical=0.0,
        above=False,
        raise_after=2,
    )


def role(title: Text, hint: Text) -> Threshold:
    """A server with another role than the configured one is critical."""
    return Threshold(
        ROLE_AS_EXPECTED.name, title, hint, "role", critical=0.0, above=False, raise_after=2
    )
