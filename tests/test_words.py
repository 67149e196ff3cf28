"""Indonesian texts use the terms of docs/glossary.md."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog

from incidents.web.display.formatting import Sayer
from probes.i18n.formats import duration, exactly
from tools import translations

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("probes", "files", "agent", "incidents")
ENGLISH = re.compile(r"(?<![\w/])(?:primary|replica|incident|finding|evidence|downtime)\b")
"""English words of the glossary; not in names (primary_conninfo, role/primary)."""
PLACEHOLDER = re.compile(r"{\w+}")


def english_in(known: Catalog) -> list[str]:
    """Each Indonesian sentence that says an idea of the glossary in English."""
    return [
        str(entry.string)
        for entry in known
        if entry.id and ENGLISH.search(PLACEHOLDER.sub("", str(entry.string)))
    ]


def test_indonesian_sentences_use_the_words_of_the_glossary() -> None:
    assert english_in(translations.catalogue("id")) == []


def test_an_english_word_in_an_indonesian_sentence_is_found() -> None:
    known = Catalog(locale="id")
    known.add("on the primary", "di primary")
    known.add("the primary's settings", "di primer, primary_conninfo")
    assert english_in(known) == ["di primary"]


@pytest.mark.parametrize("seconds", [22, 720, 3600, 8 * 3600 + 30 * 60])
def test_a_duration_is_written_alike_in_findings_clock_lines_and_pages(seconds: int) -> None:
    found = duration(seconds)
    assert exactly(seconds) == found
    for language in ("id", "en"):
        sayer = Sayer(language, ZoneInfo("Asia/Makassar"), datetime(2026, 11, 26, tzinfo=UTC))
        assert sayer.span(seconds) == found.said_in(language)


CONNECTION = {"UNREACHABLE", "REFUSED", "DENIED", "EXHAUSTED", "TIMEOUT"}
"""Kinds whose sentence is the kind's own (``REASONS``), before whatever the network said."""


def said_in_english_only(source: str) -> list[str]:
    """Each failure of ours whose message is an English sentence instead of a ``Text``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        if getattr(node.func, "id", "") not in ("ProbeError", "Failure"):
            continue
        kind, message = node.args[:2]
        if getattr(kind, "attr", "") in CONNECTION:
            continue
        if isinstance(message, ast.Constant | ast.JoinedStr) and SENTENCE.search(
            PLACEHOLDER.sub("", ast.unparse(message))
        ):
            found.append(f"line {node.lineno}: {ast.unparse(message)}")
    return found


SENTENCE = re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
"""Three words of ours in a row; what a driver or a server said is filled in."""


@pytest.mark.parametrize("room", ROOMS)
def test_a_failure_of_ours_is_told_in_both_languages(room: str) -> None:
    found = {
        str(file.relative_to(ROOT)): wrong
        for file in sorted((ROOT / room).rglob("*.py"))
        if (wrong := said_in_english_only(file.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_a_failure_in_english_only_is_found() -> None:
    bare = 'ProbeError(FailureKind.UNSUPPORTED, "no path to the backups is configured")'
    assert said_in_english_only(bare) == ["line 1: 'no path to the backups is configured'"]
    assert said_in_english_only('ProbeError(FailureKind.BLIND, Text("no such path there"))') == []
    assert said_in_english_only('ProbeError(FailureKind.BROKEN, f"{code}: {message}")') == []
