"""Headings of evidence tables: Sigap's own are translated, a server's column names are not."""

from __future__ import annotations

from probes.i18n.catalogues import languages, translated
from probes.i18n.text import Text

COLUMN = "column"
"""The context of a heading in the catalogues."""


def headings(*names: str) -> tuple[Text | str, ...]:
    """The headings of one table."""
    return tuple(map(heading, names))


def heading(name: Text | str) -> Text | str:
    """A heading in every language; a name that no catalogue has is a server's own.

    ``slot_name`` and ``slot name`` are the same heading; in English each stays as it is written.
    Evidence that was kept as strings only gets its translations here too.
    """
    if isinstance(name, Text):
        return name
    key = name.replace("_", " ").lower()
    told = {language: translated(key, COLUMN, language) for language in languages()}
    if all(said == key for said in told.values()):
        return name
    return Text.written({**told, "en": name})
