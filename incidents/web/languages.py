"""Languages of the pages: those with a catalogue, and English.

Bahasa Indonesia is the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from probes.i18n import INDONESIAN, Text, languages

DEFAULT = INDONESIAN

_NAME = Text("English", context="name of this language")


def known(language: str | None) -> str:
    """``language`` if the pages have it, else Bahasa Indonesia."""
    return language if language in languages() else DEFAULT


def offered() -> Mapping[str, str]:
    """Each language of the pages, with its own name for itself."""
    return {language: _NAME.said_in(language) for language in languages()}


def _one_of_ours(language: str) -> str:
    if language not in languages():
        expected = " or ".join(map(repr, languages()))
        raise PydanticCustomError(
            "literal_error", "Input should be {expected}", {"expected": expected}
        )
    return language


Language = Annotated[
    str,
    AfterValidator(_one_of_ours),
    WithJsonSchema({"type": "string", "enum": list(languages())}),
]
"""A language that a caller of the API asks for."""
