"""Evidence as English text, for tests that search it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probes import Exhibit, Text, Words


@dataclass(frozen=True, slots=True)
class Told:
    """A table of evidence in English."""

    title: Text
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def told(exhibit: Exhibit) -> Told:
    """The table in English; Sigap's own words must be in Indonesian too."""
    rows = tuple(tuple(map(english, row)) for row in exhibit.rows)
    return Told(exhibit.title, tuple(map(english, exhibit.columns)), rows, english(exhibit.note))


def all_told(exhibits: Iterable[Exhibit]) -> list[Told]:
    """Every table in English."""
    return [told(each) for each in exhibits]


def english(words: Words) -> str:
    """A cell or a note in English."""
    if isinstance(words, Text):
        assert words.id, words
        assert words.en, words
        return words.en
    return words
