"""``sigap incidents show`` prints evidence: within the width, in both languages, with the time."""

from __future__ import annotations

from datetime import timedelta

from agent.commands.evidence import WIDTH, evidence_lines
from probes import Evidence, Exhibit
from probes.i18n.headings import headings
from probes.words import finding_json
from tests.support.builders import NOON
from tests.support.words import both


def lines(language: str, exhibit: Exhibit) -> list[str]:
    taken = finding_json.evidence(Evidence(NOON, (exhibit,)))
    earlier = finding_json.evidence(Evidence(NOON - timedelta(hours=1), ()))
    return evidence_lines(taken, (earlier,), lambda at: f"{at:%H:%M}", language)


LOCK = Exhibit(
    both("Pohon", "Tree"),
    headings("session", "state"),
    (("4711", both("menganggur", "idle")), ("4720", "active\nnow")),
    both("2 dari 13 baris", "2 of 13 rows"),
)


def test_a_narrow_table_is_printed_as_a_table_in_the_language_asked() -> None:
    assert lines("en", LOCK) == [
        f"Evidence taken {NOON:%H:%M}",
        "Tree",
        "  session  state",
        "  4711     idle",
        "  4720     active now",
        "  (2 of 13 rows)",
        f"Earlier evidence, on the incident's page: {NOON - timedelta(hours=1):%H:%M}",
    ]
    indonesian = lines("id", LOCK)
    assert "Pohon" in indonesian
    assert "menganggur" in indonesian[3]
    assert not any("Evidence" in each for each in indonesian)


def test_a_wide_table_keeps_every_word_and_the_width() -> None:
    command = "SELECT pg_cancel_backend(4711); " + "-- the reason " * 20
    wide = Exhibit(both("Pohon", "Tree"), headings("session", "command"), (("4711", command),), "")
    printed = lines("en", wide)
    assert max(map(len, printed)) <= WIDTH
    assert " ".join(" ".join(printed).split()).count("-- the reason") == 20


def test_a_table_without_rows_shows_its_note() -> None:
    empty = Exhibit(both("Log", "Log"), (), (), both("tidak terbaca", "not readable"))
    assert lines("en", empty)[1:3] == ["Log", "  (not readable)"]
