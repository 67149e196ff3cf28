"""The words of the pages in two languages, through gettext.

Source strings are English; ``locale/id`` holds Bahasa Indonesia, which is what people see unless
they ask for English. Values of the core bring both languages themselves (``Text``).
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "sigap"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("id", "en")
DEFAULT = "id"


def known(language: str | None) -> str:
    """``language`` when the pages speak it, else Bahasa Indonesia."""
    return language if language in LANGUAGES else DEFAULT


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of one language; English is its own source.

    Raises ``FileNotFoundError`` when the compiled Indonesian catalogue is not installed.
    """
    if known(language) == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, localedir=str(LOCALE), languages=["id"])
