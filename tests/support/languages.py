"""A further language for the time of a test: one catalogue beside the shipped ones."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from probes.i18n import catalogue, formats, languages
from probes.i18n.catalogues import DOMAIN, LOCALE

REMEMBERED = (catalogue, languages, formats._marks)


@contextmanager
def further_language(
    code: str, words: Mapping[str | tuple[str, str], str], folder: Path
) -> Iterator[None]:
    """``words`` by their English, or by context and English."""
    known = Catalog(locale=code)
    for key, said in words.items():
        context, english = key if isinstance(key, tuple) else (None, key)
        known.add(english, said, context=context)
    compiled = io.BytesIO()
    write_mo(compiled, known)
    inside = folder / code / "LC_MESSAGES"
    inside.mkdir(parents=True)
    (inside / f"{DOMAIN}.mo").write_bytes(compiled.getvalue())
    (folder / "id").symlink_to(LOCALE / "id")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("probes.i18n.catalogues.LOCALE", folder)
        _forget()
        yield
    _forget()


def _forget() -> None:
    for each in REMEMBERED:
        each.cache_clear()
