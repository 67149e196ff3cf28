"""Sessions with PostgreSQL that are read-only and end at their deadline.

One absolute deadline covers resolve, connect, TLS, login and every answer (``probes.wire.libpq``).
The sessions have short lock and statement timeouts, and every failure is classified
(``probes.postgresql.connection.errors``). ``cancel()`` is never called: on a frozen server it
blocks while holding the GIL.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2

from probes.local import down_evidence
from probes.model import CONNECTION_KINDS, Address, ProbeError, Row, Session, Target
from probes.postgresql.connection import errors, startup
from probes.wire import libpq, libpq_errors
from probes.wire.libpq_session import LibpqSession
from probes.wire.rotation import with_renewed_password

FLAVOUR = "postgresql"

_SERVER_SETTINGS: Mapping[str, str] = {
    # For the server's sake, after we have given up; our own deadline is what ends the call.
    "statement_timeout": "5000",
    "lock_timeout": "250",
    "idle_in_transaction_session_timeout": "10000",
    "search_path": "pg_catalog",
    "jit": "off",  # compiling a question that runs for a millisecond costs a hundred
    "datestyle": "ISO",  # spares the driver a round trip
    # The server notices within half a minute that an agent is gone, and frees its slot.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

# Not among the settings above, so that pg_settings.reset_val still shows what ordinary new
# sessions get; availability reads that.
_READ_ONLY = "select set_config('default_transaction_read_only', 'on', false)"

_CHECK_CLIENT = "set client_connection_check_interval = 500"
_CHECK_CLIENT_SINCE = 140000

libpq.install()


class PostgresSession(LibpqSession):
    """A ``probes.Session`` over one psycopg2 connection, used by one thread."""

    flavour = FLAVOUR

    def _failed(self, error: psycopg2.Error, closed: bool) -> ProbeError:
        return errors.of_statement(error, self.target.address, closed=closed)

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        """An additional session with its own login, closed on leaving; in another database when
        named.
        """
        target = self.target
        if database:
            target = replace(target, address=replace(target.address, database=database))
        session = open_session(target, self._purpose)
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        """Where this server keeps its files, as the server names them (symlinks unresolved).

        Keys: ``data``, ``wal``, ``log`` (where the logging collector writes; without one, the file
        that is the standard error of a server on this host, if readable), ``temp`` (only when
        temporary files go to a tablespace), ``tablespace:NAME``. Needs pg_read_all_settings, part
        of pg_monitor (PostgreSQL manual, data_directory).
        """
        found = paths_from(self.rows(_PATHS)[0], self.rows(_TABLESPACES))
        if "log" not in found and self.target.host:
            where = down_evidence.redirected_log(found["data"])
            found |= {"log": where} if where else {}
        return found


_PATHS = """
select current_setting('data_directory') as data,
       current_setting('log_directory') as log,
       current_setting('logging_collector') = 'on' as collects_log,
       current_setting('temp_tablespaces') as temp
"""

_TABLESPACES = """
select spcname as name, pg_tablespace_location(oid) as location
from pg_tablespace where pg_tablespace_location(oid) <> '' order by spcname
"""


def paths_from(settings: Row, tablespaces: list[Row]) -> dict[str, str]:
    """Purpose and directory, from the server's settings and tablespaces."""
    data = str(settings["data"])
    found = {"data": data, "wal": f"{data}/pg_wal"}
    if settings["collects_log"]:
        log = str(settings["log"])
        found["log"] = log if log.startswith("/") else f"{data}/{log}"
    locations = {str(row["name"]): str(row["location"]) for row in tablespaces}
    for name in (part.strip().strip('"') for part in str(settings["temp"]).split(",")):
        if name in locations:
            found["temp"] = locations[name]
            break
    found.update({f"tablespace:{name}": where for name, where in locations.items()})
    return found


@with_renewed_password
def open_session(target: Target, purpose: str) -> Session:
    """Log in to ``target`` within the deadline in force; raises ``ProbeError``."""
    address = target.address

    def refused(error: psycopg2.Error, ip: str) -> ProbeError:
        code = None
        if libpq_errors.server_answered(error) and not errors.is_known_login(error):
            code = startup.sqlstate(address, ip)
        return errors.of_login(error, address, code)

    connection, phases = libpq.log_in(address, _settings(address, purpose), errors.silent, refused)
    started = time.perf_counter()
    session = PostgresSession(target, purpose, connection, phases)
    try:
        session.rows(_READ_ONLY)
        if session.version >= _CHECK_CLIENT_SINCE:
            with suppress(_NotOnThisPlatform):
                _check_client(session)
    except ProbeError as error:
        session.close()
        error.after_contact()
        raise
    phases["first_answer"] = time.perf_counter() - started
    return session


class _NotOnThisPlatform(Exception):
    """The server's operating system cannot detect that a client is gone."""


def _check_client(session: PostgresSession) -> None:
    try:
        session.rows(_CHECK_CLIENT)
    except ProbeError as error:
        if error.failure.kind in CONNECTION_KINDS:
            raise
        raise _NotOnThisPlatform from error


def _settings(address: Address, purpose: str) -> dict[str, Any]:
    """Connection settings: the session's limits, and our application name."""
    settings = " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items())
    return {
        "options": f"{settings} {address.options.get('options', '')}".strip(),
        "application_name": f"sigap/{purpose}",
        "dbname": address.database or address.user,
    }
