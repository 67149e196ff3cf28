"""A text for people, written once in English and translated by the catalogues."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from probes.i18n.catalogues import ENGLISH, INDONESIAN, RECORDED, languages, translated

_ANY = ""
"""Among ``written`` words: those that are the same in every language."""


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Text:
    """A text in every language of the catalogues.

    The English ``template`` is its key in the catalogues; ``{placeholders}`` are filled when it is
    rendered. A value that is itself a ``Text`` (a duration, an amount) is rendered in the same
    language. Two texts are equal when they are the same in the languages that are recorded.
    """

    _template: str
    _context: str
    _values: Mapping[str, object]
    _written: Mapping[str, str]

    def __init__(self, template: str, /, *, context: str = "", **values: object) -> None:
        """``context`` distinguishes two meanings of one English word in the catalogue.

        Raises ``KeyError`` if values are given, but not for every placeholder.
        """
        self._set(template, context, values, {})

    @classmethod
    def written(cls, words: Mapping[str, str]) -> Text:
        """A text that was stored, by language: ``{"id": "mati", "en": "down"}``.

        A language that was not stored is looked up by the English text, else shows the English
        text.
        """
        kept = {str(language): str(said) for language, said in words.items()}
        return cls.__new__(cls)._set("", "", {}, kept)

    @classmethod
    def verbatim(cls, words: object) -> Text:
        """Text of a server, a file or a person: the same in every language."""
        return cls.written({_ANY: str(words)})

    @classmethod
    def lookup(cls, english: str, context: str = "") -> Text:
        """English text that is known only at run time, such as that of a shipped file."""
        return cls.__new__(cls)._set(english, context, {}, {})

    @classmethod
    def joined(cls, between: str, parts: Iterable[Text | str]) -> Text:
        """The parts, concatenated."""
        values = {f"part{n}": part for n, part in enumerate(parts)}
        row = between.replace("{", "{{").replace("}", "}}").join(f"{{{name}}}" for name in values)
        return cls.__new__(cls)._set("", "", values, {_ANY: row})

    def format(self, /, **values: object) -> Text:
        """The same with these values for its placeholders; raises ``KeyError`` if one is left."""
        return Text.__new__(Text)._set(
            self._template, self._context, {**self._values, **values}, self._written
        )

    def filled(self, values: Mapping[str, object]) -> Text:
        """``format``, but a placeholder without a value stays empty."""
        known = {**self._values, **values}
        wanted = {name: known.get(name, "") for name in self.placeholders}
        return Text.__new__(Text)._set(
            self._template, self._context, wanted, self._written, whole=False
        )

    def partly(self, /, **values: object) -> Text:
        """The same with some of its values; ``filled`` adds the others."""
        return Text.__new__(Text)._set(
            self._template, self._context, values, self._written, whole=False
        )

    @property
    def key(self) -> tuple[str, str]:
        """Context and English text, the key in the catalogues; empty for stored texts."""
        return self._context, self._template

    @property
    def placeholders(self) -> frozenset[str]:
        """The names of its placeholders."""
        if not self._written:
            return placeholders(self._template)
        return frozenset().union(*map(placeholders, self._written.values()))

    def said_in(self, language: str) -> str:
        """The text in ``language``, in English if it is not translated."""
        template = self._told(language)
        return _Filler(language).vformat(template, (), self._values) if self._values else template

    @property
    def id(self) -> str:
        """The text in Bahasa Indonesia."""
        return self.said_in(INDONESIAN)

    @property
    def en(self) -> str:
        """The text in English."""
        return self.said_in(ENGLISH)

    @property
    def recorded(self) -> dict[str, str]:
        """The text as ledger, evidence and API store it: ``{"id": …, "en": …}``."""
        return {language: self.said_in(language) for language in RECORDED}

    def changed(self, change: Callable[[str], str]) -> Text:
        """The text after ``change``, in each language."""
        return Text.written({each: change(self.said_in(each)) for each in languages()})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Text):
            return NotImplemented
        return self is other or (self.en == other.en and self.id == other.id)

    def __hash__(self) -> int:
        return hash(self.en)

    def __repr__(self) -> str:
        return f"Text({self.en!r})"

    def _told(self, language: str) -> str:
        if not self._written:
            return translated(self._template, self._context, language)
        for key in (language, _ANY):
            if key in self._written:
                return self._written[key]
        english = self._written.get(ENGLISH)
        if english is None:
            return next(iter(self._written.values()))
        return translated(english, "", language)

    def _set(
        self,
        template: str,
        context: str,
        values: Mapping[str, object],
        written: Mapping[str, str],
        whole: bool = True,
    ) -> Text:
        kept = {name: _kept(value) for name, value in values.items()}
        for name, value in zip(self.__slots__, (template, context, kept, written), strict=True):
            object.__setattr__(self, name, value)
        if kept and whole and (left := self.placeholders - kept.keys()):
            raise KeyError(*sorted(left))
        return self


class _Filler(string.Formatter):
    """Fills placeholders in one language.

    ``{n:session waits|sessions wait}`` is the first text if n is 1, else the second.
    """

    def __init__(self, language: str) -> None:
        self._language = language

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> object:
        value = kwargs.get(key, f"{{{key}}}")  # of a text filled in part: as it stands
        return value.said_in(self._language) if isinstance(value, Text) else value

    def format_field(self, value: object, format_spec: str) -> str:
        one, several, many = format_spec.partition("|")
        if several:
            return one if str(value) == "1" else many
        return format(value, format_spec)


@lru_cache(maxsize=4096)
def placeholders(template: str) -> frozenset[str]:
    """The names between the braces of a template; one that is no template has none."""
    try:
        return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)
    except ValueError:
        return frozenset()


def _kept(value: object) -> object:
    """The part of a value that a text keeps: no exception with its frames, nothing mutable."""
    return value if isinstance(value, Text | str | int | float) else str(value)
