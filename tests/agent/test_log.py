"""Log format: one line per event, priorities under journald, stars for secrets."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import log
from probes import Address, Secret

LOG = logging.getLogger("sigap.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("sigap").setLevel(logging.NOTSET)


def test_a_line_has_its_time_and_level(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        log.set_up(stream=stream)
        LOG.info("simpeg answers again")
        LOG.debug("not for people")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.endswith(" INFO simpeg answers again")
    assert line[:2] == "20"


def test_under_journald_every_line_has_a_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log.set_up(stream=stream)
        LOG.warning("one\ntwo")
        LOG.error("three")
    assert (tmp_path / "log").read_text() == "<4>one\n<4>two\n<3>three\n"


def test_a_secret_prints_as_stars(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        log.set_up(stream=stream)
        LOG.info("%s %r", Secret("hunter2"), Address("h", 1, "u", password=Secret("hunter2")))
    assert "hunter2" not in (tmp_path / "log").read_text()
