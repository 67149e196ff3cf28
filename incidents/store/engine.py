"""Connections to the store: one writer at a time, and every write durable when it returns.

SQLite: BEGIN IMMEDIATE for writes (a plain BEGIN that reads before it writes fails with "locked"
under load), synchronous=FULL, and write-ahead logging only with a library without the WAL-reset
corruption (fixed in 3.51.3, 3.50.7 and 3.44.6); otherwise a truncated rollback journal. PostgreSQL:
psycopg2, written out because a bare ``postgresql://`` means another driver.

A frozen PostgreSQL still acknowledges every packet, so no setting of its driver ends a call; the
caller passes a function that does (``Bound``).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from incidents.store import place
from incidents.store.errors import StoreUnavailable, spoken
from probes import Text

LOCK_WAIT_SECONDS = 10.0
"""How long a write waits for the writer before it."""

CONNECT_SECONDS = 5.0
"""How long a login, or the check of a kept connection, may take."""

ANSWER_SECONDS = LOCK_WAIT_SECONDS + 5.0
"""How long one answer may take; longer than the server itself lets a statement wait for a lock."""

LONG_ANSWER_SECONDS = 60.0
"""How long one answer may take when the whole ledger is read."""

Bound = Callable[[float], AbstractContextManager[None]]
"""Limits every single wait of this thread for a server, inside the block, to so many seconds."""


def unbounded(seconds: float) -> AbstractContextManager[None]:
    """No limit: a frozen server is waited for."""
    return nullcontext()


def store_url(text: str) -> URL:
    """Parse a store's address; raises ``StoreUnavailable`` for anything but the two kinds."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreUnavailable(
            Text(
                "The store's address cannot be read; write sqlite:///file.db "
                "or postgresql://user@host/database."
            )
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg2")
    if url.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg2"):
        raise StoreUnavailable(
            Text(
                "A store of the kind {kind} is not known; use sqlite:/// or postgresql://.",
                kind=url.drivername,
            )
        )
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreUnavailable(
            Text(
                "A store in memory is lost when the service stops; "
                "name a file, for instance sqlite:///sigap.db."
            )
        )
    return url


def wal_is_safe(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite is without the WAL-reset corruption."""
    if version >= (3, 51, 3):
        return True
    return any(fixed <= version < (fixed[0], fixed[1] + 1) for fixed in ((3, 50, 7), (3, 44, 6)))


class Store:
    """An open store; safe to share between threads."""

    def __init__(self, url: URL, bound: Bound = unbounded, *, reading: bool = False) -> None:
        """With ``reading``, a SQLite file that is not writable is opened read-only."""
        self.url = url
        self.kind = url.get_backend_name()  # sqlite | postgresql
        self.where = url.render_as_string(hide_password=True)
        self._bound = bound
        self._writer = threading.Lock()
        self._prepare: Callable[[], None] | None = None
        self._preparing = threading.RLock()
        self._prepares = False
        self._owner = ""  # whose the file is, if this process may only read it
        if self.kind == "postgresql":
            self.engine = _postgresql(url)
            return
        file = Path(url.database or "")
        why_not = place.objection(file)
        if why_not is None:
            self.engine = _sqlite(url, file)
            return
        if reading:
            why_not = place.objection_to_reading(file, why_not)
        if why_not is not None:
            raise StoreUnavailable(why_not)
        self._owner = place.owner(file)
        self.engine = _sqlite_to_read(file)

    @property
    def read_only(self) -> bool:
        """Whether this process may read the file but not write it."""
        return bool(self._owner)

    def prepare_first(self, prepare: Callable[[], None]) -> None:
        """Run ``prepare`` before the next use, until it succeeds."""
        self._prepare = prepare

    @property
    def prepared(self) -> bool:
        """Whether the store can be used without further preparation."""
        return self._prepare is None

    @contextmanager
    def read(self, answer_seconds: float = ANSWER_SECONDS) -> Iterator[Connection]:
        """One consistent read transaction; does not wait for writers. Raises
        ``StoreUnavailable``.
        """
        self._make_ready()
        with (
            spoken(self.where, self._owner),
            self._bound(answer_seconds),
            self._connected() as connection,
        ):
            reading = connection.execution_options(sigap_read=True)
            if self.kind == "postgresql":
                reading = reading.execution_options(isolation_level="REPEATABLE READ")
            with reading.begin():
                yield reading

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; durable when the block is left, rolled back if it raises.

        Raises ``StoreUnavailable``; a violated constraint stays ``IntegrityError``.
        """
        self._make_ready()
        # SQLite's own waiting is unfair: threads of one process queue here instead.
        if self.kind == "sqlite" and not self._writer.acquire(timeout=LOCK_WAIT_SECONDS):
            raise self._busy()
        try:
            with (
                spoken(self.where),
                self._bound(ANSWER_SECONDS),
                self._connected() as connection,
                connection.begin(),
            ):
                yield connection
        finally:
            if self.kind == "sqlite":
                self._writer.release()

    def _connected(self) -> Connection:
        with self._bound(CONNECT_SECONDS):
            return self.engine.connect()

    def _make_ready(self) -> None:
        if self._prepare is None:
            return
        if not self._preparing.acquire(timeout=CONNECT_SECONDS):
            raise self._busy()
        try:
            # What prepares reads and writes as well, and so comes here again in its own thread.
            if self._prepare is None or self._prepares:
                return
            self._prepares = True
            try:
                self._prepare()
                self._prepare = None
            finally:
                self._prepares = False
        finally:
            self._preparing.release()

    def _busy(self) -> StoreUnavailable:
        return StoreUnavailable(
            Text("The store {where} is busy; try again in a moment.", where=self.where),
            passing=True,
        )

    def describe(self) -> str:
        """The write mode and the reason for it, for the log."""
        if self.kind != "sqlite":
            return f"{self.where}"
        mode = "WAL" if wal_is_safe() else "TRUNCATE"
        return f"{self.where}, SQLite {sqlite3.sqlite_version}, journal {mode}, synchronous FULL"

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()


def _sqlite(url: URL, file: Path) -> Engine:
    place.make_private(file)
    engine = create_engine(url, connect_args={"timeout": LOCK_WAIT_SECONDS}, pool_size=8)
    journal = "WAL" if wal_is_safe() else "TRUNCATE"

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late
        for pragma in (
            f"journal_mode={journal}",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("sigap_read", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _sqlite_to_read(file: Path) -> Engine:
    """Open the file in its journal mode, unchanged. Not ``immutable``: that takes no lock and could
    read a half-written page.
    """
    named = f"{file.absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            named,
            uri=True,
            timeout=LOCK_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "application_name": "sigap/store",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": f"-c lock_timeout={int(LOCK_WAIT_SECONDS * 1000)} "
        f"-c statement_timeout={int(LONG_ANSWER_SECONDS * 1000)}",
    }
    given = {name: value for name, value in options.items() if name not in url.query}
    return create_engine(
        url, connect_args=given, pool_pre_ping=True, pool_size=8, pool_timeout=CONNECT_SECONDS
    )
