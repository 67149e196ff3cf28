"""The printed script never creates an account that everybody knows the password of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.agent import sigap


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_every_script_has_a_password_of_its_own(flavour: str, tmp_path: Path) -> None:
    scripts = [sigap("grants", flavour, folder=tmp_path).stdout for _ in range(2)]
    passwords = [re.findall(r"IDENTIFIED BY '([^']+)'", script) for script in scripts]
    assert all(len(found) == 1 and len(found[0]) >= 20 for found in passwords)
    assert passwords[0] != passwords[1]
    assert "password_file" in scripts[0]
