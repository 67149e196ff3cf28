"""Texts for tests; they are in no catalogue."""

from __future__ import annotations

from probes import Text


def both(id: str, en: str) -> Text:
    """A sentence in both languages, as it would be read back from the ledger."""
    return Text.written({"id": id, "en": en})
