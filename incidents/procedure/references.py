"""Checks names in a procedure file that refer to other entries in it."""

from __future__ import annotations

from collections.abc import Collection

from files.problems import nearest
from files.strict_yaml import Entry


def one_of(entry: Entry, key: str, known: Collection[str], optional: bool = False) -> str:
    """A word that must be in ``known``; otherwise a problem with its line."""
    word = entry.string(key, "" if optional else None)
    if word and word not in known:
        entry.wrong(unknown(word, known), key)
    return word


def some_of(entry: Entry, key: str, known: Collection[str]) -> tuple[str, ...]:
    """A list of words that must all be of ``known``."""
    words = entry.strings(key)
    for word in words:
        if word not in known:
            entry.wrong(unknown(word, known), key)
    return words


def unknown(word: str, known: Collection[str]) -> str:
    """The problem text for a word that is not in ``known``."""
    said = f"{word!r} is none of: {', '.join(sorted(known))}"
    meant = nearest(word, known)
    return f"{said}; {meant}" if meant.startswith("did you mean") else said
