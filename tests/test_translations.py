"""The catalogues are complete and in step with code, templates and shipped files."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog

from probes.i18n import catalogue
from tools import translations as tool
from tools.sentences import Sentence, said_by


def test_no_sentence_lacks_its_indonesian_words() -> None:
    assert tool.problems(tool.said(), tool.catalogue()) == []


def test_a_missing_a_fuzzy_and_a_stray_sentence_would_be_noticed() -> None:
    known = tool.catalogue()
    known.add("never said anywhere", "tidak pernah")
    fuzzy = known.get("Inbox")
    assert fuzzy is not None
    fuzzy.flags.add("fuzzy")
    found = tool.problems(tool.said() | {Sentence("brand new")}, known)
    assert found == [
        "missing: 'brand new'",
        "nobody says this any more: 'never said anywhere'",
        "fuzzy: 'Inbox'",
    ]


@pytest.mark.parametrize("indonesian", ["{nama} mati", "mati", "{name} mati {since}", "{name} { x"])
def test_a_translation_with_other_placeholders_would_be_noticed(indonesian: str) -> None:
    known = Catalog(locale="id")
    known.add("{name} is down", indonesian)
    (found,) = tool.problems({Sentence("{name} is down")}, known)
    assert found == "placeholders differ: '{name} is down'"


def test_a_catalogue_that_need_not_be_complete_may_lack_sentences_but_not_be_wrong() -> None:
    known = Catalog(locale="ms")
    known.add("{name} is down", "{nama} mati")
    found = tool.problems({Sentence("{name} is down"), Sentence("brand new")}, known, False)
    assert found == ["placeholders differ: '{name} is down'"]


def test_the_compiled_catalogue_is_the_source_as_it_stands() -> None:
    assert tool.po("id").with_suffix(".mo").read_bytes() == tool.compiled(tool.catalogue())


def test_indonesian_has_one_form_for_any_number() -> None:
    assert tool.catalogue().num_plurals == 1
    assert catalogue("id").ngettext("%d server", "%d servers", 2) == "%d servers"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('Text("a {b}", b=1)', Sentence("a {b}")),
        ('Text("open", context="state")', Sentence("open", "state")),
        ('headings("slot_name")', Sentence("slot name", "column")),
        ('SQL = "SELECT pid, age AS \\"age s\\", 1 FROM t"', Sentence("age s", "column")),
    ],
)
def test_every_way_to_say_something_is_found(source: str, found: Sentence) -> None:
    assert [each for _, each in said_by(source)] == [found]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('Text(f"a {b}")', "one literal"),
        ('Text("mati", "down")', "one literal"),
        ('Text("a {b}", c=1)', "placeholders ['b'], but values ['c']"),
        ('Text("a", context=state)', "context of a Text is a literal"),
    ],
)
def test_a_sentence_no_catalogue_can_have_is_named(source: str, words: str) -> None:
    ((_, found),) = said_by(source)
    assert isinstance(found, str)
    assert words in found
