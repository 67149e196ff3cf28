"""Text of a failure in both languages, for probes that report another query's failure.

Uses the failure's own text if it has one in both languages, else the server's message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from probes.model import Failure, FailureKind, Text, Words

NOT_ITS_PROTOCOL = Text("does not speak its protocol (something else answers at its port)")
"""For a peer that answers on the server's port with another protocol."""


REASONS: Mapping[FailureKind, Text] = {
    FailureKind.UNREACHABLE: Text("is unreachable"),
    FailureKind.REFUSED: Text("refuses connections"),
    FailureKind.DENIED: Text("rejects the monitoring account"),
    FailureKind.EXHAUSTED: Text("is out of connection slots"),
    FailureKind.TIMEOUT: Text("is frozen or does not answer"),
    FailureKind.UNSUPPORTED: Text("is not supported"),
    FailureKind.BLIND: Text("cannot be seen"),
    FailureKind.BROKEN: Text("gave an unexpected answer"),
}
"""Each is said of a server after its name: "simpeg refuses connections"."""


_SIGHTLESS: Mapping[FailureKind, Text] = {
    FailureKind.BLIND: Text("a right or an instrument is missing"),
    FailureKind.BROKEN: Text("an unexpected answer"),
}
"""Why a probe cannot measure although the server answers; the server's own message follows."""


def why(failure: Failure) -> Text:
    """Why a probe could not measure: its own message, else the kind's text before the server's
    message.
    """
    if failure.said.en:
        return failure.said
    kind = _SIGHTLESS.get(failure.kind) or REASONS[failure.kind]
    return Text("{kind} ({message})", kind=kind, message=failure.message)


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
