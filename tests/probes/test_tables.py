"""Evidence has one format, whatever the driver returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from probes import Evidence, Exhibit, Words
from probes.i18n.headings import heading, headings
from probes.model import NOTHING_SAID
from probes.words import finding_json
from probes.words.tables import NO, NONE, cell, exhibit, remarks
from tests.support.words import both

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (True, both("ya", "yes")),
        (both("diam", "idle"), both("diam", "idle")),
        (0.0, "0"),
        (-0.0001, "0"),
        (123456789.0, "123456789"),
        (1.23456, "1.235"),
        (float("inf"), "inf"),
        (7, "7"),
        ("0.0", "0.0"),
        (
            datetime(2026, 11, 26, 18, 13, 7, 308443, timezone(timedelta(hours=8))),
            "2026-11-26T10:13:07Z",
        ),
        (datetime.fromisoformat("2026-11-26T10:13:07"), "2026-11-26T10:13:07"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_each_kind_of_value_has_one_form(value: Any, words: Words) -> None:
    assert cell(value) == words


def test_the_clock_a_query_reckons_from_is_not_shown() -> None:
    shown = exhibit(both("Slot", "Slots"), [{"slot": "a", "now": 1795000000.5, "active": False}])
    assert (shown.columns, shown.rows) == (("slot", "active"), (("a", NO),))


def test_an_empty_table_says_so() -> None:
    shown = exhibit(both("Slot", "Slots"), [])
    assert (shown.rows, shown.note) == ((), NONE)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((), ""),
        (("", "/data: No such file"), "/data: No such file"),
        (("/data: gone", "/wal: gone"), "/data: gone; /wal: gone"),
        (("log", both("tidak ada", "none"), ""), both("log; tidak ada", "log; none")),
        ((NOTHING_SAID, both("tidak ada", "none")), both("tidak ada", "none")),
    ],
)
def test_remarks_are_put_together_in_both_languages(said: tuple[Words, ...], words: Words) -> None:
    assert remarks(*said) == words


def test_a_heading_of_ours_is_told_in_both_languages_and_a_servers_own_stays_a_string() -> None:
    assert headings("slot_name", "Gtid_IO_Pos") == (both("nama slot", "slot_name"), "Gtid_IO_Pos")


def test_a_heading_keeps_both_languages_where_it_is_recorded_and_old_strings_are_read() -> None:
    shown = Exhibit(both("Slot", "Slots"), headings("slot_name", "pid"), ())
    kept = finding_json.evidence(Evidence(NOW, (shown,)))
    (exhibit_,) = kept["exhibits"]
    assert exhibit_["columns"] == ["slot_name", "pid"]
    assert exhibit_["headings"] == [{"id": "nama slot", "en": "slot_name"}, "pid"]
    assert finding_json.evidence_of(kept).exhibits == (shown,)
    earlier = {key: value for key, value in exhibit_.items() if key != "headings"}
    old = finding_json.evidence_of({**kept, "exhibits": [{**earlier, "columns": ["slot_name"]}]})
    assert old.exhibits[0].columns == ("slot_name",)
    assert heading("slot_name") == both("nama slot", "slot_name")
