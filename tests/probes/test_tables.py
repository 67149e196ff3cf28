"""Evidence is written one way, whatever the driver hands over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from probes import Text
from probes.tables import cell, exhibit


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (True, "yes"),
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
def test_each_kind_of_value_has_one_form(value: Any, words: str) -> None:
    assert cell(value) == words


def test_the_clock_a_query_reckons_from_is_not_shown() -> None:
    shown = exhibit(Text("Slot", "Slots"), [{"slot": "a", "now": 1795000000.5, "active": False}])
    assert (shown.columns, shown.rows) == (("slot", "active"), (("a", "no"),))
