"""Session with PgBouncer's admin console that ends at its deadline.

One absolute deadline covers resolve, connect, TLS, login and every answer (``probes.wire.libpq``).
Queries use the simple protocol, and the login sends no settings, because the console takes neither
parameters nor most settings. An additional session is a login through the pool, as an application
makes it, if the target's url names a database; otherwise another one to the console.
Source: PgBouncer manual, "Admin console".
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg2

from probes.model import Address, ProbeError, Session, Target
from probes.pgbouncer import errors
from probes.wire import libpq
from probes.wire.libpq_session import LibpqSession
from probes.wire.rotation import with_renewed_password

FLAVOUR = "pgbouncer"
CONSOLE = "pgbouncer"
"""The database of that name is the console."""

FOR_BOTH = "SHOW client_encoding"
"""A query that works on the console and on a server behind the pool."""

libpq.install()


class ConsoleSession(LibpqSession):
    """A ``probes.Session`` over one connection to the console or, when fresh, through a pool."""

    flavour = FLAVOUR

    def _failed(self, error: psycopg2.Error, closed: bool) -> ProbeError:
        return errors.of_statement(error, self.target.address, closed=closed)

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        """An additional session with its own login, through the database's pool if one is named."""
        wanted = database or self.target.address.database or CONSOLE
        session = _opened(self.target, self._purpose, wanted)
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        """The directory of its configuration and its log file; it has no data directory."""
        settings = {str(row["key"]): str(row["value"] or "") for row in self.rows("SHOW CONFIG")}
        found = {
            "config": os.path.dirname(settings.get("conffile", "")),
            "log": settings.get("logfile", ""),
        }
        return {purpose: path for purpose, path in found.items() if path.startswith("/")}


@with_renewed_password
def open_session(target: Target, purpose: str) -> Session:
    """Log in to the console within the deadline in force; raises ``ProbeError``."""
    return _opened(target, purpose, CONSOLE)


def _opened(target: Target, purpose: str, database: str) -> ConsoleSession:
    address = target.address

    def silent(phase: str, at: Address) -> ProbeError:
        return errors.silent(phase, at, database)

    def refused(error: psycopg2.Error, ip: str) -> ProbeError:
        return errors.of_login(error, address, database)

    settings = {"application_name": f"sigap/{purpose}", "dbname": database}
    connection, phases = libpq.log_in(address, settings, silent, refused)
    started = time.perf_counter()
    session = ConsoleSession(target, purpose, connection, phases)
    try:
        if database == CONSOLE:
            session.rows("SHOW VERSION")
    except ProbeError:
        session.close()
        raise
    phases["first_answer"] = time.perf_counter() - started
    return session
