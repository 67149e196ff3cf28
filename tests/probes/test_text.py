"""A text is written once in English and shown in every language that has a catalogue."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.i18n import Text, languages
from tests.support.languages import REMEMBERED, further_language


def test_a_sentence_is_told_in_english_and_in_indonesian() -> None:
    said = Text("Inbox")
    assert (said.en, said.id) == ("Inbox", "Kotak masuk")


def test_a_sentence_without_a_translation_is_told_in_english() -> None:
    said = Text("nobody translated {this}", this="sentence")
    assert said.said_in("id") == said.said_in("xx") == "nobody translated sentence"


def test_a_value_that_is_a_text_is_told_in_the_same_language() -> None:
    amount = Text.written({"id": "1,5 detik", "en": "1.5 s"})
    said = Text.written({"id": "tertinggal {lag}", "en": "behind by {lag}"}).format(lag=amount)
    assert (said.id, said.en) == ("tertinggal 1,5 detik", "behind by 1.5 s")


@pytest.mark.parametrize(("count", "words"), [(1, "1 session waits"), (2, "2 sessions wait")])
def test_a_number_chooses_between_two_words(count: int, words: str) -> None:
    assert Text("{n} {n:session waits|sessions wait}", n=count).en == words


def test_a_value_with_braces_is_told_as_it_is() -> None:
    assert Text("server: {words}", words="{x} {").en == "server: {x} {"


def test_a_placeholder_without_a_value_is_refused_unless_it_may_stay_empty() -> None:
    with pytest.raises(KeyError):
        Text("{target}: {reason}", target="a1")
    assert Text("{target}: {reason}").filled({"target": "a1"}).en == "a1: "


def test_words_that_were_kept_are_told_as_they_were_written() -> None:
    kept = Text.written({"id": "{mati}", "en": "{down}"})
    assert kept.recorded == {"id": "{mati}", "en": "{down}"}
    assert kept == Text.written(kept.recorded)


def test_a_servers_words_are_the_same_in_every_language() -> None:
    assert Text.verbatim("Inbox").recorded == {"id": "Inbox", "en": "Inbox"}


def test_parts_are_joined_in_every_language() -> None:
    said = Text.joined("; {", [Text("Inbox"), "{raw}"])
    assert (said.id, said.en) == ("Kotak masuk; {{raw}", "Inbox; {{raw}")
    assert Text.joined(", ", []).en == ""


def test_texts_are_equal_when_they_say_the_same() -> None:
    assert Text("Inbox") == Text.written({"id": "Kotak masuk", "en": "Inbox"})
    assert len({Text("{n}", n=1), Text.verbatim("1")}) == 1
    assert Text("Inbox") != Text.verbatim("Inbox")
    assert Text("a") != "a"


def test_a_text_cannot_be_changed_and_can_be_copied() -> None:
    said = Text("{n} servers", n=2)
    with pytest.raises(AttributeError):
        said._template = "x"  # type: ignore[misc]  # what this test tries
    assert copy.deepcopy(said) == pickle.loads(pickle.dumps(said)) == said  # noqa: S301 - pickled just here


def test_a_text_keeps_no_exception_alive() -> None:
    error = ValueError("no such file")
    assert Text("failed: {error}", error=error)._values == {"error": "no such file"}


@pytest.fixture
def malay(tmp_path: Path) -> Iterator[None]:
    with further_language("ms", {"Inbox": "Peti masuk"}, tmp_path):
        yield


@pytest.mark.usefixtures("malay")
def test_a_third_language_is_one_catalogue_and_english_where_it_lacks_words() -> None:
    assert languages() == ("id", "en", "ms")
    assert Text("Inbox").said_in("ms") == "Peti masuk"
    assert Text("Sign in").said_in("ms") == "Sign in"
    kept = Text.written({"id": "Kotak masuk", "en": "Inbox"})
    assert kept.said_in("ms") == "Peti masuk"


def test_without_any_catalogue_everything_is_told_in_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.i18n.catalogues.LOCALE", tmp_path)
    for each in REMEMBERED:
        each.cache_clear()
    try:
        assert Text("Inbox").id == "Inbox"
    finally:
        for each in REMEMBERED:
            each.cache_clear()
