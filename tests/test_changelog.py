"""Format of CHANGELOG.md."""

from __future__ import annotations

import re
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
WIDTH = 120


def test_each_version_has_each_kind_of_change_once_and_under_a_known_name() -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    versions = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert versions
    for version in versions:
        found = re.findall(r"^### (.+)$", version, flags=re.MULTILINE)
        assert len(found) == len(set(found)), found
        assert set(found) <= set(SECTIONS), found


def test_no_line_is_too_long_to_read() -> None:
    lines = CHANGELOG.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
