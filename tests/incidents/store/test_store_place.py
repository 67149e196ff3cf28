"""Where a SQLite store can be, and the error where it cannot."""

from __future__ import annotations

import pwd
import re
import sqlite3
from pathlib import Path

import pytest

from incidents.store import StoreUnavailable, objection, open_store
from tests.support.accounts import give_away, said_by_ordinary_user


def as_ordinary_user_opens(url: str) -> str:
    """Open the store at ``url`` in a child that is not root; its sentence, or 'written'."""
    return said_by_ordinary_user(lambda: open_store(url).close())


def test_a_store_of_another_account_is_said_with_owner_and_command(open_folder: Path) -> None:
    path = open_folder / "sigap.db"
    open_store(f"sqlite:///{path}").close()
    give_away(open_folder)
    path.chmod(0o400)
    said = as_ordinary_user_opens(f"sqlite:///{path}")
    assert re.search(rf"chown \S+: {path}\*|chmod u\+rw {path}\*", said), said
    assert pwd.getpwuid(path.stat().st_uid).pw_name in said


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_journal_that_was_left_to_another_account_is_said_too(
    open_folder: Path, end: str
) -> None:
    give_away(open_folder)
    (open_folder / f"sigap.db{end}").touch(0o400)
    said = as_ordinary_user_opens(f"sqlite:///{open_folder / 'sigap.db'}")
    assert f"sigap.db{end} of the store" in said
    assert said.endswith(f"{open_folder / 'sigap.db'}*")


def test_a_folder_that_takes_no_file_is_said_with_the_command(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    said = as_ordinary_user_opens(f"sqlite:///{open_folder / 'sigap.db'}")
    open_folder.chmod(0o755)
    assert re.search(rf"chown \S+: {open_folder}$|chmod u\+rwx {open_folder}$", said), said


def test_a_store_that_root_makes_belongs_to_whom_its_folder_belongs(open_folder: Path) -> None:
    give_away(open_folder)
    store = open_store(f"sqlite:///{open_folder / 'sigap.db'}")
    owners = {each.name: each.stat().st_uid for each in open_folder.iterdir()}
    store.close()
    assert "sigap.db" in owners
    assert set(owners.values()) == {open_folder.stat().st_uid}


def test_a_link_that_lies_in_the_way_is_not_given_away(open_folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.db"
    precious.touch()
    owner = precious.stat().st_uid
    give_away(open_folder)
    (open_folder / "sigap.db").symlink_to(precious)
    open_store(f"sqlite:///{open_folder / 'sigap.db'}").close()
    assert precious.stat().st_uid == owner


def test_somebody_elses_sqlite_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE letters (id int)")
    other.close()
    before = path.read_bytes()
    found = objection(f"sqlite:///{path}")
    assert found is not None
    assert "not Sigap's" in found.en
    assert path.read_bytes() == before
    with pytest.raises(StoreUnavailable, match="not Sigap's"):
        open_store(f"sqlite:///{path}")


def test_a_good_store_meets_no_objection(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert objection(url) is None
    assert list(tmp_path.iterdir()) == []
    open_store(url).close()
    assert objection(url) is None
