"""Reads the letter of a procedure file; every slot must be filled from the record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from files.strict_yaml import Entry
from incidents.model import Decision
from incidents.procedure.letter import (
    DISPENSATION,
    FACTS,
    INCIDENT,
    Alternative,
    Letter,
    LetterSentence,
    Part,
)
from incidents.procedure.model import FieldKind, Step
from incidents.procedure.references import one_of, some_of, unknown
from probes.i18n import languages


def letter(top: Entry, steps: Sequence[Step], kinds: Collection[str]) -> Letter | None:
    """The letter, if the procedure has one."""
    if not top.has("letter"):
        return None
    entry = top.entry("letter")
    entry.only(
        "document language number urgency recipient subject body copies signer attachments".split()
    )
    document = one_of(entry, "document", kinds)
    if document and not any(_leaves(step, document) for step in steps):
        entry.wrong(f"no step leaves {document!r} when it is approved", "document")
    slots = frozenset(_slots(steps))
    signer = entry.entry("signer")
    signer.only(("on_behalf", "position"))
    attachments = _attachments(entry, kinds)
    return Letter(
        document=document,
        language=one_of(entry, "language", languages()),
        number=_alternative(entry, "number", slots),
        urgency=_alternative(entry, "urgency", slots, fixed=True),
        recipient=_alternative(entry, "recipient", slots),
        subject=_sentence(entry, "subject", slots),
        body=tuple(_part(each, slots) for each in entry.entries("body")),
        copies=_alternative(entry, "copies", slots, fixed=True),
        on_behalf=signer.string("on_behalf", ""),
        position=signer.string("position"),
        attachments=attachments[0],
        attachments_said=attachments[1],
    )


def _leaves(step: Step, document: str) -> bool:
    output = step.outputs.get(Decision.APPROVE)
    return output is not None and output.kind == document


def _slots(steps: Sequence[Step]) -> Iterator[str]:
    yield from (f"incident.{name}" for name in INCIDENT)
    yield from (f"dispensation.{name}" for name in DISPENSATION)
    for step in steps:
        # an instant is written as the page's reader expects it, which a sentence cannot know
        yield from (f"{step.key}.{f.name}" for f in step.form if f.kind is not FieldKind.DATETIME)


def _sentence(entry: Entry, key: str, slots: Collection[str]) -> LetterSentence:
    words = LetterSentence(entry.string(key).strip())
    for slot in words.slots:
        if slot not in slots:
            entry.wrong(f"slot {_unknown_slot(slot, slots)}", key)
    return words


def _unknown_slot(slot: str, slots: Collection[str]) -> str:
    """The problem text of a slot that nothing fills, with the known names."""
    owner = slot.partition(".")[0]
    near = [each for each in slots if each.startswith(f"{owner}.")]
    return unknown(slot, near or slots)


def _alternative(
    entry: Entry, key: str, slots: Collection[str], fixed: bool = False
) -> Alternative:
    """``fixed``: what stands there otherwise has no slots, since it is a setting as well."""
    if isinstance(entry.value.get(key), str):
        return Alternative(_sentence(entry, key, slots), LetterSentence(""))
    inner = entry.entry(key)
    inner.only(("from", "else"))
    written = _sentence(inner, "from", slots) if inner.has("from") else None
    otherwise = _sentence(inner, "else", slots) if inner.has("else") else LetterSentence("")
    if fixed and otherwise.slots:
        inner.wrong("expected words without slots", "else")
    return Alternative(written, otherwise)


def _part(entry: Entry, slots: Collection[str]) -> Part:
    entry.only(("text", "facts"))
    if entry.has("facts"):
        return Part(facts=some_of(entry, "facts", FACTS))
    return Part(_sentence(entry, "text", slots))


def _attachments(entry: Entry, kinds: Collection[str]) -> tuple[tuple[str, ...], str]:
    if not entry.has("attachments"):
        return (), ""
    inner = entry.entry("attachments")
    inner.only(("documents", "said"))
    return some_of(inner, "documents", kinds), inner.string("said")
