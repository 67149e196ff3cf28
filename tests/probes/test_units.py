"""Values formatted for people."""

import pytest

from probes.words.units import measured, version_in_words, written


@pytest.mark.parametrize(
    ("value", "unit", "indonesian", "english"),
    [
        (412, "seconds", "6 menit 52 detik", "6 min 52 s"),
        (0.25, "seconds", "0,25 detik", "0.25 s"),
        (90061, "seconds", "1 hari 1 jam", "1 d 1 h"),
        (1_234_000_000, "bytes", "1,2 GB", "1.2 GB"),
        (999, "bytes", "999 B", "999 B"),
        (0.954, "ratio", "95,4 %", "95.4 %"),
        (1234, "", "1.234", "1,234"),
    ],
)
def test_a_value_is_written_with_its_unit(
    value: float, unit: str, indonesian: str, english: str
) -> None:
    said = written(value, unit)
    assert (said.id, said.en) == (indonesian, english)


def test_a_measure_that_tells_an_instant_is_written_as_one() -> None:
    said = measured("start_time_seconds", 1795413907.0, "seconds")
    assert said.id == said.en == "2026-11-23T06:05:07Z"
    assert measured("login_seconds", 45.0, "seconds").en == "45 s"


@pytest.mark.parametrize(
    ("flavour", "version", "words"),
    [
        ("postgresql", 150018, "15.18"),
        ("mysql", 90704, "9.7.4"),
        ("mariadb", 101119, "10.11.19"),
        ("", 0, ""),
    ],
)
def test_a_version_is_written_as_its_server_writes_it(
    flavour: str, version: int, words: str
) -> None:
    assert version_in_words(flavour, version) == words
