"""A password that is rotated on the server and in its file, while the agent runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.secrets import FileSecret
from probes import FailureKind, ProbeError, Target
from tests.probes.postgresql.asking import session_to
from tests.servers.postgresql import MONITOR, MONITOR_PASSWORD, Server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    _write(file, MONITOR_PASSWORD, 1)
    return file


def _write(file: Path, password: str, changed: int) -> None:
    file.write_text(password + "\n")
    file.chmod(0o600)
    os.utime(file, ns=(changed, changed))


@pytest.fixture
def rotated(single: Server, file: Path) -> Iterator[Target]:
    """A target configured before its password changed on the server."""
    target = single.target()
    secret = FileSecret(file.name, file.parent, {})
    single.sql(f"alter role {MONITOR} password 'yang-baru'")
    yield replace(target, address=replace(target.address, password=secret))
    single.sql(f"alter role {MONITOR} password '{MONITOR_PASSWORD}'")


@pytest.mark.servers
def test_a_rotated_password_is_used_without_a_reload(rotated: Target, file: Path) -> None:
    with pytest.raises(ProbeError) as caught, session_to(rotated):
        pass
    assert caught.value.failure.kind is FailureKind.DENIED
    _write(file, "yang-baru", 2)
    with session_to(rotated) as session, session.fresh() as another:
        assert another.rows("select 1 as one") == [{"one": 1}]


def test_a_changed_file_is_read_once_and_an_unusable_one_keeps_the_password(file: Path) -> None:
    secret = FileSecret(file.name, file.parent, {})
    assert not secret.renewed()
    _write(file, "yang-baru", 2)
    assert secret.renewed()
    assert secret.reveal() == "yang-baru"
    assert not secret.renewed()
    _write(file, "", 3)
    assert not secret.renewed()
    file.unlink()
    assert not secret.renewed()
    assert secret.reveal() == "yang-baru"
