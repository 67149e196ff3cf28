"""The languages of the pages: those there is a catalogue for, and English.

People see Bahasa Indonesia unless they ask for another one.
"""

from __future__ import annotations

from collections.abc import Mapping

from probes.i18n import INDONESIAN, Text, languages

DEFAULT = INDONESIAN

_NAME = Text("English", context="name of this language")


def known(language: str | None) -> str:
    """``language`` when the pages speak it, else Bahasa Indonesia."""
    return language if language in languages() else DEFAULT


def offered() -> Mapping[str, str]:
    """Each language of the pages, with the name it has for itself."""
    return {language: _NAME.said_in(language) for language in languages()}
