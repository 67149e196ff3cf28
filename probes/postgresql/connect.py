"""Sessions to PostgreSQL that do no harm and always end by the deadline.

What is promised: one absolute deadline over resolve, connect, TLS, login and every answer
(``probes.postgresql.wait``); read-only sessions with short lock and statement timeouts; every
failure named (``probes.postgresql.errors``). Nothing here ever calls ``cancel()``: against a
frozen server it blocks, holding the interpreter's lock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2

from probes import deadline
from probes.model import (
    CONNECTION_KINDS,
    Address,
    FailureKind,
    ProbeError,
    Row,
    Session,
    Shared,
    Target,
    Text,
)
from probes.postgresql import errors, startup, wait

FLAVOUR = "postgresql"

_SERVER_SETTINGS: Mapping[str, str] = {
    # Courtesies for the time after we have given up: our own deadline is what holds.
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

_CLIENT_SETTINGS: Mapping[str, str] = {
    "client_encoding": "UTF8",
    "gssencmode": "disable",  # a silent KDC would block inside libpq, out of our reach
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

wait.install()


class PostgresSession:
    """A ``probes.Session`` over one psycopg2 connection, used by one thread."""

    flavour = FLAVOUR

    def __init__(
        self,
        target: Target,
        purpose: str,
        connection: psycopg2.extensions.connection,
        phases: Mapping[str, float],
    ) -> None:
        self.target = target
        self.phases = phases
        self.memory: dict[str, Any] = {}
        self._purpose = purpose
        self._connection = connection

    @property
    def version(self) -> int:
        """``server_version_num``: 150018 is 15.18."""
        return self._connection.server_version

    @property
    def shared(self) -> Shared:
        return Shared()  # an owner knows when a round begins; this does not

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """The whole answer to one question; raises ``ProbeError``."""
        if self._connection.closed:
            raise errors.lost()
        deadline.remaining()
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                if cursor.description is None:
                    return []
                names = [column.name for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except wait.DeadlineExceeded as error:
            raise deadline.timed_out("the question was not answered") from error
        except psycopg2.Error as error:
            closed = bool(self._connection.closed)
            raise errors.of_statement(error, self.target.address, closed=closed) from error

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        """A second session with a login of its own, closed on leaving; elsewhere when named."""
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

        Keys: ``data``, ``wal``, ``log`` (only when the logging collector writes there), ``temp``
        (only when temporary files go to a tablespace), ``tablespace:NAME``.
        Needs pg_read_all_settings, part of pg_monitor (PostgreSQL manual, data_directory).
        """
        return paths_from(self.rows(_PATHS)[0], self.rows(_TABLESPACES))

    def close(self) -> None:
        """Say goodbye without waiting for an answer."""
        self._connection.close()


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
    """Purpose and directory, from what the server's settings and tablespaces say."""
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


def open_session(target: Target, purpose: str) -> Session:
    """Log in to ``target`` within the deadline in force; raises ``ProbeError``.

    A name with several addresses is tried in order, each with its share of the time left, so
    that a silent first address does not hide a second one that works.
    """
    address = target.address
    phases: dict[str, float] = {}
    started = time.perf_counter()
    ips = [""] if address.host.startswith("/") else deadline.resolve(address.host)
    phases["resolve"] = time.perf_counter() - started

    with wait.timing() as waited:
        connection = _connected(address, ips, purpose, waited)
    phases |= waited

    started = time.perf_counter()
    session = PostgresSession(target, purpose, connection, phases)
    try:
        session.rows(_READ_ONLY)
        if session.version >= _CHECK_CLIENT_SINCE:
            with suppress(_NotOnThisPlatform):
                _check_client(session)
    except ProbeError:
        session.close()
        raise
    phases["first_answer"] = time.perf_counter() - started
    return session


class _NotOnThisPlatform(Exception):
    """The server's operating system cannot tell that a client has gone."""


def _check_client(session: PostgresSession) -> None:
    try:
        session.rows(_CHECK_CLIENT)
    except ProbeError as error:
        if error.failure.kind in CONNECTION_KINDS:
            raise
        raise _NotOnThisPlatform from error


def _connected(
    address: Address, ips: list[str], purpose: str, waited: Mapping[str, float]
) -> psycopg2.extensions.connection:
    worst: ProbeError | None = None
    for index, ip in enumerate(ips):
        try:
            with deadline.within(deadline.remaining() / (len(ips) - index)):
                return _login(address, ip, purpose, waited)
        except _NextAddress as error:
            # Silence says more than a closed port: "localhost" is often refused on ::1 alone.
            if worst is None or worst.failure.kind is not FailureKind.TIMEOUT:
                worst = error.said
    if worst is None:
        raise RuntimeError("deadline.resolve promises at least one address")
    try:
        raise worst
    finally:
        del worst  # or frame and exception would hold each other until the collector runs


class _NextAddress(Exception):
    """This address does not answer; another may."""

    def __init__(self, said: ProbeError) -> None:
        self.said = said


def _login(
    address: Address, ip: str, purpose: str, waited: Mapping[str, float]
) -> psycopg2.extensions.connection:
    try:
        connection: psycopg2.extensions.connection = psycopg2.connect(
            **_parameters(address, ip, purpose)
        )
    except wait.DeadlineExceeded as error:
        phase = next(reversed(list(waited)), wait.CONNECT)
        raise _NextAddress(errors.silent(phase, address)) from error
    except psycopg2.ProgrammingError as error:
        raise ProbeError(
            FailureKind.BROKEN,
            " ".join(str(error).split()),
            Text(
                "Perbaiki pilihan libpq pada url target (bagian sesudah tanda tanya).",
                "Mend the libpq options in the target's url (the part after the question mark).",
            ),
        ) from error
    except psycopg2.Error as error:
        code = None
        if errors.server_answered(error) and not errors.is_known_login(error):
            code = startup.sqlstate(address, ip)
        said = errors.of_login(error, address, code)
        if errors.server_answered(error):
            raise said from error
        raise _NextAddress(said) from error
    connection.autocommit = True
    return connection


def _parameters(address: Address, ip: str, purpose: str) -> dict[str, Any]:
    """What libpq is told; the target's own options win over ours, except who we say we are."""
    own = dict(address.options)
    settings = " ".join(f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items())
    parameters: dict[str, Any] = {
        **_CLIENT_SETTINGS,
        **own,
        "options": f"{settings} {own.get('options', '')}".strip(),
        "application_name": f"sigap/{purpose}",
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "dbname": address.database or address.user,
    }
    if ip:
        parameters["hostaddr"] = ip  # "host" stays for the certificate's name
    if address.password is not None:
        parameters["password"] = address.password.reveal()
    return parameters
