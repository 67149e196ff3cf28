"""Advice names only keys that agent.yaml has, and in both languages."""

from __future__ import annotations

import re

import pytest

from agent.config.explain import fields_at
from agent.config.models import RootSection
from tools.translations import catalogue

_OPTIONS = frozenset({"ssl", "ssl_ca", "sslmode", "sslrootcert"})
"""Options after the question mark of a url, which are the drivers' and no keys of the schema."""

_SPOKEN_OF = re.compile(
    r"target's |\b(?:at|off|of) the target\b|for this target\b|agent\.yaml|expects\.\w+"
)
"""How a sentence refers to the configuration."""

_NO_KEY = (
    "the target's configuration",
    "the TLS files of the target cannot be used",
    "disable the probe write_canary for this target",
)
"""Parts of sentences that speak of a target and of no key of its section."""

_NAMED = (
    re.compile(r"target's (?P<a>\w+)(?: and (?P<b>\w+)(?=[.,:;]| options))?"),
    re.compile(r"(?P<a>\w+) and (?P<b>\w+) of the target\b"),
    re.compile(r"\b(?P<a>\w+): (?:\w+|\{+.*?\}+),? (?:at the|for this) target\b"),
    re.compile(r"\btake (?P<a>\w+) off the target\b"),
    re.compile(r"(?P<a>expects\.\w+)"),
    re.compile(r"'(?P<a>\w+)' there\b"),
)


def _messages() -> dict[str, str]:
    """English and Indonesian of every sentence that speaks of the configuration."""
    found = {str(m.id): str(m.string) for m in catalogue("id") if isinstance(m.id, str)}
    return {en: id_ for en, id_ in found.items() if _SPOKEN_OF.search(en)}


def _keys(sentence: str) -> set[str]:
    return {
        key
        for pattern in _NAMED
        for found in pattern.finditer(sentence)
        for key in found.groupdict().values()
        if key and key not in {"configuration", *_OPTIONS}
    }


def _exists(key: str) -> bool:
    *sections, name = key.split(".")
    return name in fields_at(RootSection, ("targets", 0, *sections))


@pytest.mark.parametrize("sentence", _messages())
def test_a_key_that_advice_names_exists_and_is_named_in_both_languages(sentence: str) -> None:
    keys = _keys(sentence)
    assert [key for key in keys if not _exists(key)] == []
    assert [key for key in keys if key not in _messages()[sentence]] == []


@pytest.mark.parametrize("sentence", _messages())
def test_a_sentence_about_the_configuration_names_what_to_change(sentence: str) -> None:
    named = _keys(sentence) or _OPTIONS & set(re.findall(r"\w+", sentence))
    assert named or "“targets”" in sentence or any(words in sentence for words in _NO_KEY)
