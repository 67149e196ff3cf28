"""The letter that a procedure ends with: who signs it, who gets it, and its sentences.

A sentence has slots in braces that are filled from the record: facts of the incident
(``{incident.number}``), answers of the newest signed visit of a step (``{repair.cause}``), and, for
a paragraph printed once for each, the dispensations (``{dispensation.reason}``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

INCIDENT = ("number", "title", "application", "agency", "severity")
"""Slots ``incident.…``; ``application`` falls back to the server, then to the title."""

DISPENSATION = ("step", "name", "granted_by", "reason")
"""Slots ``dispensation.…``."""

FACTS = ("number", "application", "opened_at", "closed_at")
"""Rows a letter may list."""

_SLOT = re.compile(r"\{([^{}]*)\}")
_PER_DISPENSATION = "dispensation."


@dataclass(frozen=True, slots=True)
class LetterSentence:
    """A sentence with slots."""

    text: str

    @property
    def slots(self) -> tuple[str, ...]:
        """The names in braces, in their order."""
        return tuple(_SLOT.findall(self.text))

    @property
    def per_dispensation(self) -> bool:
        """Whether it is printed once for each dispensation."""
        return any(slot.startswith(_PER_DISPENSATION) for slot in self.slots)

    @property
    def is_one_slot(self) -> bool:
        """Whether it consists of a single answer, whose lines are paragraphs."""
        return _SLOT.fullmatch(self.text) is not None

    def filled(self, values: Mapping[str, str]) -> str:
        """The sentence with its slots filled; empty if one of them is empty."""
        if not all(values.get(slot) for slot in self.slots):
            return ""
        return _SLOT.sub(lambda found: values[found[1]], self.text)


@dataclass(frozen=True, slots=True)
class Alternative:
    """The text if the field was answered, and the text otherwise."""

    written: LetterSentence | None
    otherwise: LetterSentence

    def filled(self, values: Mapping[str, str]) -> tuple[str, bool]:
        """The text, and whether the field was answered."""
        words = self.written.filled(values) if self.written else ""
        return (words, True) if words else (self.otherwise.filled(values), False)


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph of the letter, or a list of facts."""

    sentence: LetterSentence | None = None
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter that the approval of a step leaves as its document."""

    document: str  # the kind of document that is drawn as a letter
    language: str  # id | en: of its sentences and headings
    number: Alternative
    urgency: Alternative
    recipient: Alternative
    subject: LetterSentence
    body: tuple[Part, ...]
    copies: Alternative  # one line for each
    on_behalf: str  # above the signer's title; empty: signs by their own title
    position: str  # the signer's title
    attachments: tuple[str, ...] = ()  # kinds of documents; the newest of each goes along
    attachments_said: str = ""  # how the letter counts them
