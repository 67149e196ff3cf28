"""One word per idea in Bahasa Indonesia too: what docs/glossary.md decides, every text keeps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("probes", "agent", "incidents")
ENGLISH = re.compile(r"(?<![\w/])(?:primary|replica|incident|finding|evidence|downtime)\b")
"""English words of the glossary; not in names (primary_conninfo, role/primary)."""
PLACEHOLDER = re.compile(r"{\w+}")


def indonesian(source: str) -> Iterator[tuple[int, str]]:
    """The line and the words of each ``Text``'s first language."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Text" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.lineno, PLACEHOLDER.sub("", first.value)


def english_in(source: str) -> list[str]:
    """Each Indonesian text that says an idea of the glossary in English."""
    return [f"line {line}: {words}" for line, words in indonesian(source) if ENGLISH.search(words)]


@pytest.mark.parametrize("room", ROOMS)
def test_indonesian_texts_use_the_words_of_the_glossary(room: str) -> None:
    found = {
        str(file.relative_to(ROOT)): wrong
        for file in sorted((ROOT / room).rglob("*.py"))
        if (wrong := english_in(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_an_english_word_in_an_indonesian_text_is_found() -> None:
    assert english_in('Text("di primary", "on the primary")') == ["line 1: di primary"]
    assert english_in('Text("di primer, primary_conninfo", "on the primary")') == []
