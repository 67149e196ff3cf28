"""A lock whose holder MariaDB does not show: the advice says how to find it, with candidates
listed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.probes.mysql.asking import findings, settled, shown
from tests.servers.mariadb import Holder, MariaDB, Waiter
from tests.servers.mariadb import eventually as until

pytestmark = pytest.mark.servers

SECRET = "rahasia-4711"


@pytest.fixture
def table(primary: MariaDB) -> str:
    primary.sql(
        "CREATE OR REPLACE TABLE app.gelap (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE=InnoDB",
        "INSERT INTO app.gelap VALUES (1, 'a')",
    )
    return "app.gelap"


@pytest.fixture
def locked(primary: MariaDB, table: str) -> Iterator[Holder]:
    """A backup took the global read lock and sleeps; another session wants to write."""
    holder = Holder(primary, "FLUSH TABLES WITH READ LOCK")
    writer = Waiter(primary, f"UPDATE {table} SET v = '{SECRET}' WHERE id = 1")
    waits = (
        "SELECT 1 FROM information_schema.PROCESSLIST "
        f"WHERE ID = {writer.id} AND STATE = 'Waiting for backup lock' AND TIME_MS > 1100"
    )
    until(lambda: primary.sql(waits), "the writer has waited a second for the global read lock")
    yield holder
    writer.gone()
    holder.let_go()


def test_writers_behind_a_global_read_lock_are_told_how_to_find_who_holds_it(
    primary: MariaDB, locked: Holder
) -> None:
    settled()
    verdict = findings("blocked_sessions", primary.target())["blocked_seconds"]
    assert "cannot be seen" in verdict.title.en
    for words in (verdict.hint.id, verdict.hint.en):
        assert "`INSTALL SONAME 'metadata_lock_info'`" in words
        assert "FLUSH TABLES WITH READ LOCK" in words
        assert "SHOW PROCESSLIST" not in words
    assert "Reach the owner" not in verdict.hint.en


def test_who_sleeps_longest_stands_beside_the_tree_that_cannot_name_its_root(
    primary: MariaDB, locked: Holder
) -> None:
    settled()
    tree, asleep = shown("blocked_sessions", primary.target())
    assert asleep.title.en == "Sessions that have slept longest"
    (backup,) = (
        dict(zip(asleep.columns, row, strict=True))
        for row in asleep.rows
        if row[0] == str(locked.id)
    )
    assert backup["account"] == "root@localhost"
    assert int(backup["idle seconds"]) >= 1
    assert len(asleep.rows) <= 40
    assert SECRET not in repr((tree, asleep))


def test_where_the_holder_is_seen_the_tree_is_all(primary: MariaDB, table: str) -> None:
    holder = Holder(primary, f"UPDATE {table} SET v = 'b' WHERE id = 1")
    writer = Waiter(primary, f"UPDATE {table} SET v = '{SECRET}' WHERE id = 1")
    try:
        primary.row_waits(1)
        settled()
        (tree,) = shown("blocked_sessions", primary.target())
        verdict = findings("blocked_sessions", primary.target())["blocked_sessions"]
    finally:
        writer.gone()
        holder.let_go()
    assert tree.rows[0][-1] == f"KILL {holder.id}"
    assert f"`KILL {holder.id}`" in verdict.hint.en
