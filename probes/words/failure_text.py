"""Text of a failure in both languages, for probes that report another query's failure.

Uses the failure's own text if it has one in both languages, else the server's message.
"""

from __future__ import annotations

from dataclasses import replace

from probes.model import Failure, FailureKind, Text, Words

NOT_ITS_PROTOCOL = Text("does not speak its protocol (something else answers at its port)")
"""For a peer that answers on the server's port with another protocol."""


def words(failure: Failure) -> Text:
    """The failure's message in both languages."""
    return failure.said if failure.said.en else Text.verbatim(failure.message)


def shown(failure: Failure) -> Words:
    """The failure's message for evidence: a ``Text`` of ours, or the server's string."""
    return failure.said if failure.said.en else failure.message


def no_further(refused: Failure) -> Failure:
    """A query needed an additional session and could not open one; the rights are not the
    problem.
    """
    said = refused.said
    if not said.en:
        said = Text("no further session was to be had ({message})", message=refused.message)
    return replace(refused, kind=FailureKind.BLIND, said=said)
