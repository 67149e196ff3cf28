"""How many characters people may type, the same for pages, API, command line and desk."""

from __future__ import annotations

from collections.abc import Mapping

LINE = 300
"""A text field of a step's form."""

PARAGRAPH = 10_000
"""A paragraph of a step's form, a remark or a reason; letters and reports are printed from it."""

REPORT: Mapping[str, int] = {
    "title": 200,
    "description": PARAGRAPH,
    "target": 200,
    "application": 200,
    "agency": 200,
    "reporter": 200,
    "contact": 200,
    "occurred_at": 40,
    "severity": 20,
}
"""Every field of the Form Laporan."""

SEARCH = 200
"""The words to search for."""
