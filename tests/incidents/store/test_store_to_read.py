"""An account that may only read a SQLite store can read it, or is told what is missing.

The stores are not writable for the account that reads, as for an auditor.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incidents.store import engine, installation, open_store, place
from tests.incidents.store.test_store import names, put
from tests.support.accounts import said_by_ordinary_user

WORDS = "cannot be read just now without the right to write; start Sigap"


@contextmanager
def closed(folder: Path, file_mode: int = 0o444) -> Iterator[None]:
    """Only root may write in ``folder``; its files have this mode."""
    for each in folder.iterdir():
        each.chmod(file_mode)
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)
        for each in folder.iterdir():
            each.chmod(0o600)


def as_reader(file: Path) -> str:
    """The names that a reader who is not root finds in the store, or the error."""

    def read() -> str:
        store = open_store(f"sqlite:///{file}", reading=True)
        assert store.read_only
        found = " ".join(sorted(names(store)))
        store.close()
        return found

    return said_by_ordinary_user(read)


@pytest.fixture(params=[False, True], ids=["TRUNCATE", "WAL"])
def journal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the store is kept with a log of writes, as by a SQLite where that is safe."""
    monkeypatch.setattr(engine, "wal_is_safe", lambda: request.param)
    return bool(request.param)


def test_who_may_only_read_reads_while_sigap_runs(open_folder: Path, journal: bool) -> None:
    file = open_folder / "sigap.db"
    running = open_store(f"sqlite:///{file}")
    put(running, "before")
    there = {each.name for each in open_folder.iterdir()}
    assert ("sigap.db-wal" in there) is journal
    with closed(open_folder):
        assert "before" in as_reader(file)
        if os.geteuid() == 0:  # whom no mode shuts out, as none shuts the service's account out
            put(running, "during")
            assert "during" in as_reader(file)
        assert {each.name for each in open_folder.iterdir()} == there
    running.close()


def test_of_a_sigap_that_stands_still_the_reader_reads_or_is_told_the_next_move(
    open_folder: Path, journal: bool
) -> None:
    file = open_folder / "sigap.db"
    store = open_store(f"sqlite:///{file}")
    put(store, "before")
    store.close()
    with closed(open_folder):
        said = as_reader(file)
        # SQLite must make the log's index to read with a log, and there is nowhere to make it.
        assert (WORDS if journal else "before") in said
        assert not journal or said.endswith(f"as {place.owner(file)}.")


def test_a_write_that_was_cut_off_is_left_to_the_owner_to_undo(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "wal_is_safe", lambda: False)
    store = open_store(f"sqlite:///{tmp_path / 'sigap.db'}")
    put(store, "before")
    store.close()
    writer = sqlite3.connect(tmp_path / "sigap.db", isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")  # spills into the file before the commit
    writer.execute("BEGIN IMMEDIATE")
    for n in range(50):
        writer.execute("INSERT INTO meta VALUES (?, ?)", (f"cut{n}", "x" * 4000))
    for end in ("", "-journal"):
        shutil.copy(tmp_path / f"sigap.db{end}", open_folder)
    writer.close()
    file = open_folder / "sigap.db"
    with closed(open_folder):
        assert WORDS in as_reader(file)
    again = open_store(f"sqlite:///{file}", reading=True)  # as the owner
    assert not again.read_only
    assert "before" in names(again)
    assert not any(name.startswith("cut") for name in names(again))
    again.close()


def test_what_the_reader_may_not_read_is_said_with_the_command(open_folder: Path) -> None:
    file = open_folder / "sigap.db"
    open_store(f"sqlite:///{file}").close()
    with closed(open_folder, 0o000):
        said = as_reader(file)
    if os.geteuid() == 0:
        assert f"{file} of the store may not be read by" in said
        assert f"chmod g+rX {open_folder} {file}*" in said
    else:
        assert f"chmod u+rw {file}*" in said


def test_a_store_that_is_not_there_is_not_made_by_a_reader(open_folder: Path) -> None:
    with closed(open_folder):
        assert "does not exist yet; run Sigap first" in as_reader(open_folder / "sigap.db")
    assert list(open_folder.iterdir()) == []


def test_a_store_of_an_older_schema_waits_for_the_service(open_folder: Path) -> None:
    file = open_folder / "sigap.db"
    open_store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as older:
        older.execute("UPDATE alembic_version SET version_num = '0001'")
    older.close()
    with closed(open_folder):
        assert "has not the schema of this Sigap yet; run this version" in as_reader(file)


def test_a_reader_that_writes_all_the_same_is_refused_and_changes_nothing(
    open_folder: Path,
) -> None:
    file = open_folder / "sigap.db"
    store = open_store(f"sqlite:///{file}")
    before = installation(store)
    store.close()

    def write() -> None:
        put(open_store(f"sqlite:///{file}", reading=True), "late")

    with closed(open_folder):
        assert "is read-only" in said_by_ordinary_user(write)
    store = open_store(f"sqlite:///{file}")
    assert installation(store) == before
    assert "late" not in names(store)
    store.close()


def test_who_may_write_opens_it_as_ever(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'sigap.db'}", reading=True)
    put(store, "new")
    assert not store.read_only
    assert stat.S_IMODE((tmp_path / "sigap.db").stat().st_mode) == 0o600
    store.close()
