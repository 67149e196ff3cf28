"""Opening, preparing and locking a store."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from incidents.store import (
    Store,
    StoreUnavailable,
    engine,
    installation,
    open_store,
    schema,
    tables,
)
from incidents.store.engine import wal_is_safe
from incidents.store.types import Instant
from tests.incidents.conftest import new_database
from tests.servers.postgresql import Server, single
from tests.support.accounts import said_by_ordinary_user


def put(store: Store, name: str, value: str = "x") -> None:
    with store.write() as connection:
        connection.execute(insert(tables.meta).values(name=name, value=value))


def names(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(select(tables.meta.c.name)).scalars())


def test_an_empty_store_is_brought_to_the_newest_schema_and_stays(store_url: str) -> None:
    first = open_store(store_url)
    name = installation(first)
    first.close()
    second = open_store(store_url)
    assert installation(second) == name
    second.close()


def test_the_migrations_make_exactly_the_declared_tables(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_declared_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_an_ordinary_start_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    open_store(url).close()
    code = (
        "import sys; from incidents.store import open_store; "
        f"open_store({url!r}); sys.exit('alembic' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_newer_schema_is_refused_with_one_sentence(store_url: str) -> None:
    store = open_store(store_url)
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreUnavailable, match=r"newer Sigap \(schema 9999\)"):
        open_store(store_url)


def test_somebody_elses_tables_are_refused(store_url: str) -> None:
    store = Store(engine.store_url(store_url))
    with store.write() as connection:
        connection.execute(text("CREATE TABLE events (id INTEGER)"))
    store.close()
    with pytest.raises(StoreUnavailable, match="not Sigap's"):
        open_store(store_url)


def test_two_instances_starting_together_migrate_once(store_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            open_store(store_url).close()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_a_raised_block_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as connection:
        connection.execute(insert(tables.meta).values(name="half", value="x"))
        raise RuntimeError("the desk changed its mind")
    assert "half" not in names(store)


def test_writers_in_many_threads_all_get_their_turn(store: Store) -> None:
    def write(which: int) -> None:
        for turn in range(10):
            put(store, f"{which}-{turn}")

    threads = [threading.Thread(target=write, args=(which,)) for which in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len([name for name in names(store) if "-" in name]) == 60


def test_an_instant_keeps_its_microseconds_and_needs_a_zone(store: Store) -> None:
    at = datetime(2026, 3, 20, 23, 59, 59, 999999, tzinfo=UTC)
    row = {"token_hash": "t", "username": "u", "started_at": at, "seen_at": at, "expires_at": at}
    with store.write() as connection:
        connection.execute(text("INSERT INTO people VALUES ('u','n','','','','','id',1,'p',0,0)"))
        connection.execute(insert(tables.sessions).values(**row))
        assert connection.execute(select(tables.sessions.c.seen_at)).scalar_one() == at
    naive = {**row, "token_hash": "other", "seen_at": at.replace(tzinfo=None)}
    with pytest.raises(Exception, match="needs a zone"), store.write() as connection:
        connection.execute(insert(tables.sessions).values(**naive))


def test_one_open_incident_per_finding_is_a_rule_of_the_database(store: Store) -> None:
    columns = {
        c.name: 0 if c.type.python_type is int else ""
        for c in tables.incidents.columns
        if not isinstance(c.type, Instant)
    }
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with store.write() as connection:
        for position, number in enumerate("AB"):
            connection.execute(
                insert(tables.incidents).values(
                    **{**columns, "number": number, "position": position},
                    opened_at=at,
                    entered_at=at,
                )
            )
    row = {"fingerprint": "f", "severity": 2, "held": 0, "position": 0}
    with store.write() as connection:
        connection.execute(insert(tables.findings).values(incident="A", is_open=1, **row))
    with pytest.raises(IntegrityError), store.write() as connection:
        connection.execute(insert(tables.findings).values(incident="B", is_open=1, **row))
    with store.write() as connection:
        connection.execute(insert(tables.findings).values(incident="B", is_open=0, **row))


# What can be wrong, each as one sentence.


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////no/such/folder/sigap.db", "does not exist; make it"),
        ("sqlite://", "lost when the service stops"),
        ("mysql://u@h/d", "is not known"),
        ("not an address", "cannot be read"),
        ("postgresql://u@127.0.0.1:1/d", "does not answer"),
    ],
)
def test_a_wrong_address_is_said_in_one_sentence(url: str, says: str) -> None:
    with pytest.raises(StoreUnavailable, match=says) as caught:
        open_store(url)
    assert caught.value.sentence.id != caught.value.sentence.en
    assert "\n" not in caught.value.sentence.en


def test_a_password_never_stands_in_the_sentence() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql://u:kunci-rahasia@127.0.0.1:1/d")
    assert "kunci-rahasia" not in caught.value.sentence.en


def test_a_bare_postgresql_address_names_its_driver() -> None:
    assert engine.store_url("postgresql://u@h/d").drivername == "postgresql+psycopg2"


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StoreUnavailable, match="damaged or no Sigap store"):
        open_store(f"sqlite:///{tmp_path / 'a.db'}")


def as_ordinary_user(store: Store, what: str) -> str:
    """Write to the store in a child that is not root; its sentence, or 'written'."""
    return said_by_ordinary_user(lambda: put(store, what))


def test_a_read_only_file_is_said_and_nothing_is_lost(open_folder: Path) -> None:
    path = open_folder / "sigap.db"
    store = open_store(f"sqlite:///{path}")
    put(store, "before")
    store.close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    said = as_ordinary_user(store, "after")
    open_folder.chmod(0o755)
    path.chmod(0o644)
    assert re.search("is read-only; give the user", said), said
    assert "before" in names(store)
    assert "after" not in names(store)


def test_a_full_store_is_said_nothing_is_lost_and_it_heals(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    put(store, "before")
    with store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages}")
    # The limit lives in the pooled connection that was just given back, and is used next.
    with pytest.raises(StoreUnavailable, match="is full; free space"):
        put(store, "after", "x" * 100_000)
    assert "after" not in names(store)
    store.close()
    put(store, "after", "x" * 100_000)
    assert {"before", "after"} <= names(store)


def test_a_store_locked_by_another_process_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_SECONDS", 0.2)
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another process"):
        put(store, "late")
    other.execute("ROLLBACK")
    put(store, "late")
    assert "late" in names(store)


@pytest.mark.servers
def test_a_stopped_postgresql_is_said_and_the_store_comes_back_with_it() -> None:
    with single() as server:
        server.sql("create database desk")
        store = open_store(f"postgresql://postgres@/desk?host={server.folder}&port={server.port}")
        put(store, "before")
        server.stop()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            put(store, "during")
        server.start()
        put(store, "after")
        assert {"before", "after"} <= names(store)
        assert "during" not in names(store)
        store.close()


@pytest.mark.servers
def test_a_read_only_postgresql_is_said(store_server: Server) -> None:
    url = new_database(store_server)
    open_store(url).close()
    store = open_store(url + "&options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(StoreUnavailable, match="is read-only"):
        put(store, "x")
    store.close()


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_the_journal_is_chosen_by_what_this_sqlite_does_safely(
    version: tuple[int, ...], safe: bool
) -> None:
    assert wal_is_safe(version) is safe


def test_sqlite_writes_are_durable_and_its_tables_strict(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    with store.read() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        assert mode == ("wal" if wal_is_safe() else "truncate")
        made = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'")
        ).scalars()
        assert all(sql.rstrip().endswith("STRICT") for sql in made if "sqlite_" not in sql)


def test_a_sqlite_write_holds_the_lock_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT_SECONDS", 0.1)
    first = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    second = Store(first.url)  # as another process has
    with (
        first.write(),
        pytest.raises(StoreUnavailable, match="locked by another process"),
        second.write(),
    ):
        pytest.fail("two writers at once")


def test_a_new_store_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "sigap.db"
    open_store(f"sqlite:///{file}").close()
    assert file.stat().st_mode & 0o777 == 0o600
