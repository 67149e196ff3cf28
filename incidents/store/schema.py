"""Brings a store to the newest schema.

Alembic is imported only when there is something to migrate, so that an ordinary start neither waits
for it nor keeps it in memory.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.pool import NullPool

from incidents.store import place
from incidents.store.engine import Bound, Store, store_url, unbounded
from incidents.store.errors import StoreUnavailable, spoken
from incidents.store.tables import meta
from probes import Text

HEAD = "0002"
"""The newest revision in ``migrations/versions``."""

_KNOWN = frozenset({"0001", HEAD})
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_162_714  # any constant of ours: two instances starting together take turns


def open_store(
    url: str, bound: Bound = unbounded, *, wait: bool = False, reading: bool = False
) -> Store:
    """The store at ``url``, created or migrated to the newest schema.

    ``sqlite:///file.db`` or ``postgresql://…``. ``bound`` ends every wait for a server that does
    not answer. Raises ``StoreUnavailable`` with one sentence: no such folder, no answer, no right
    to write, a schema of a newer version, another program's tables. With ``wait``, a store that
    only does not answer now is returned: each use tries to prepare it first, and raises
    ``StoreUnavailable`` until that succeeds. With ``reading``, a SQLite file this process may read
    and not write is opened as it is: nothing is created, and every write raises.
    """
    store = Store(store_url(url), bound, reading=reading)
    try:
        _prepare(store)
    except StoreUnavailable as error:
        if not wait or not error.passing:
            store.close()
            raise
        store.prepare_first(lambda: _prepare(store))
    except BaseException:
        store.close()
        raise
    return store


def _prepare(store: Store) -> None:
    with store.read() as connection:
        revision = _revision(connection)
    if revision == HEAD:
        return
    if store.read_only:
        raise StoreUnavailable(
            Text(
                "The store {where} has not the schema of this Sigap yet; run this version of "
                "Sigap first, which brings it up to date.",
                where=store.where,
            )
        )
    _migrate(store)


def objection(url: str) -> Text | None:
    """Why the SQLite store at ``url`` would not open, found without changing anything.

    A server is not contacted: whether it answers now says nothing about the configuration.
    """
    try:
        address = store_url(url)
        if address.get_backend_name() != "sqlite":
            return None
        file = Path(address.database or "")
        why_not = place.objection(file)
        if why_not is None and file.exists():
            _look(file, address.render_as_string(hide_password=True))
    except StoreUnavailable as error:
        return error.sentence
    return why_not


def _look(file: Path, where: str) -> None:
    """Raise ``StoreUnavailable`` when ``file`` is damaged, another program's or too new."""
    named = f"{file.absolute().as_uri()}?mode=rw"  # makes no file, and not WAL of a stranger's
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(named, uri=True), poolclass=NullPool
    )
    with spoken(where), engine.connect() as connection:
        _revision(connection)


def installation(store: Store) -> str:
    """The random name of this installation; used in bundles to distinguish two stores."""
    with store.read() as connection:
        return str(
            connection.execute(
                select(meta.c.value).where(meta.c.name == "installation")
            ).scalar_one()
        )


def _revision(connection: Connection) -> str:
    """The schema's revision; "" for an empty store."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        # A file is Sigap's alone; a database of a server may hold an extension's tables.
        if tables & {"events", "incidents"} or (tables and connection.dialect.name == "sqlite"):
            raise StoreUnavailable(
                Text("This database holds tables that are not Sigap's; give Sigap one of its own.")
            )
        return ""
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
    if revision and revision not in _KNOWN:
        raise StoreUnavailable(
            Text(
                "This store was made by a newer Sigap (schema {revision}); "
                "install that version, or restore a backup from before the upgrade.",
                revision=revision,
            )
        )
    return str(revision)


def _migrate(store: Store) -> None:
    # Half a second and 34 MB that only a first start or an upgrade pays.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with store.write() as connection:
        if store.kind == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        if _revision(connection) == HEAD:  # another instance was quicker
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        known = connection.execute(select(meta.c.value).where(meta.c.name == "installation"))
        if known.first() is None:
            connection.execute(
                meta.insert().values(name="installation", value=secrets.token_hex(16))
            )
