"""Translation catalogues: one compiled gettext file per language for the whole product.

A language is available when ``locale/<language>/LC_MESSAGES/sigap.mo`` exists; English needs none.
A text without a translation is shown in English.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "sigap"
LOCALE = Path(__file__).parent / "locale"
ENGLISH = "en"
INDONESIAN = "id"
RECORDED = (INDONESIAN, ENGLISH)
"""The languages in which ledger, evidence and API keep a sentence, whatever else is offered."""


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations into ``language``; of English or an unknown language, the source itself."""
    if language not in languages() or language == ENGLISH:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, str(LOCALE), [language], fallback=True)


@cache
def languages() -> tuple[str, ...]:
    """The languages offered, by their codes: Indonesian first, English, then the others."""
    there = {path.parts[-3] for path in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")}
    return (*RECORDED, *sorted(there - set(RECORDED)))


def translated(english: str, context: str, language: str) -> str:
    """``english`` in ``language``, or as it is where the catalogue lacks it."""
    if not english or language == ENGLISH:
        return english  # gettext answers "" with the catalogue's header
    known = catalogue(language)
    return known.pgettext(context, english) if context else known.gettext(english)
