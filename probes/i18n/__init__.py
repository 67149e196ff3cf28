"""Sentences in several languages: English in the code, every other language in a catalogue."""

from probes.i18n.catalogues import ENGLISH, INDONESIAN, RECORDED, catalogue, languages
from probes.i18n.text import Text

__all__ = [
    "ENGLISH",
    "INDONESIAN",
    "RECORDED",
    "Text",
    "catalogue",
    "languages",
]
