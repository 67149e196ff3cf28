"""Why: a failure that one question tells on behalf of another must not lose a language by it.

Promise: the words in both languages where the failure has them, else the server's own.
"""

from __future__ import annotations

from dataclasses import replace

from probes.model import Failure, FailureKind, Text, Words

NOT_ITS_PROTOCOL = Text(
    "tidak berbicara dengan protokolnya (sesuatu yang lain menjawab di portnya)",
    "does not speak its protocol (something else answers at its port)",
)
"""Of whoever answers at a server's port in another language."""


def words(failure: Failure) -> Text:
    """The failure's message as both readers get it."""
    return failure.said if failure.said.en else Text(failure.message, failure.message)


def shown(failure: Failure) -> Words:
    """The failure's message as evidence holds it: whoever's words it is in."""
    return failure.said if failure.said.en else failure.message


def no_further(refused: Failure) -> Failure:
    """A question needed a session of its own and got none; nothing is wrong with the rights."""
    said = refused.said
    if not said.en:
        said = Text(
            f"tidak mendapat sesi tambahan ({refused.message})",
            f"no further session was to be had ({refused.message})",
        )
    return replace(refused, kind=FailureKind.BLIND, said=said)
