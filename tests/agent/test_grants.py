"""The printed script never creates an account with a known password."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.agent import sigap


def test_the_lines_for_a_pooler_can_be_pasted_into_its_own_files(tmp_path: Path) -> None:
    lines = sigap("grants", "pgbouncer", "--user", "pemantau", folder=tmp_path).stdout.splitlines()
    account, setting = [line for line in lines if line and not line.startswith(";")]
    assert re.fullmatch(r'"pemantau" "\S{20,}"', account)
    assert setting == "stats_users = pemantau"
    for lang, sentence in (("id", "tidak dapat ditulis di"), ("en", "is not valid in")):
        wrong = ("--user", "a,b", "--lang", lang)
        refused = sigap("grants", "pgbouncer", *wrong, folder=tmp_path)
        assert refused.returncode != 0
        assert f"{sentence} stats_users" in refused.stderr


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_every_script_has_a_password_of_its_own(flavour: str, tmp_path: Path) -> None:
    scripts = [sigap("grants", flavour, folder=tmp_path).stdout for _ in range(2)]
    passwords = [re.findall(r"IDENTIFIED BY '([^']+)'", script) for script in scripts]
    assert all(len(found) == 1 and len(found[0]) >= 20 for found in passwords)
    assert passwords[0] != passwords[1]
    assert "password_file" in scripts[0]
