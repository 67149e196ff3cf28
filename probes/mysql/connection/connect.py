"""Session with a MySQL or MariaDB server that ends at its deadline and changes nothing.

Resolve, connect, TLS, login and every query end at the thread's deadline. The session is read-only,
waits at most two seconds for a lock, and the server itself gives up on a query after five, so that
nothing accumulates on a slow server after we have stopped waiting.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.cursors import DictCursor

from probes.model import (
    Address,
    FailureKind,
    Memory,
    ProbeError,
    Row,
    Session,
    Shared,
    Target,
    Text,
)
from probes.mysql.connection import errors, tls
from probes.mysql.connection.paths import VARIABLES, directories
from probes.mysql.connection.sockets import dial
from probes.wire import deadline
from probes.wire.rotation import with_renewed_password

if TYPE_CHECKING:
    _Connection = pymysql.connections.Connection[DictCursor]

LOCK_WAIT_SECONDS = 2
STATEMENT_SECONDS = 5
CLOSE_SECONDS = 0.05
"""COM_QUIT is five bytes into the kernel's buffer; a full buffer is not waited for."""

# What PyMySQL raises when the other side speaks another protocol.
_NOT_MYSQL = (struct.error, IndexError, ValueError, AssertionError, RuntimeError)


def version_of(said: str) -> int:
    """``10.11.19-MariaDB`` to 101119, ``9.7.4`` to 90704; 0 where no version is written.

    MariaDB puts ``5.5.5-`` in front of its greeting, for replicas of long ago.
    """
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", said.removeprefix("5.5.5-"))
    if found is None:
        return 0
    major, minor, patch = (int(part) for part in found.groups())
    return major * 10000 + minor * 100 + patch


def flavour_of(said: str) -> str:
    """mariadb or mysql (Percona Server counts as MySQL), from what VERSION() says."""
    return "mariadb" if "mariadb" in said.lower() else "mysql"


def preamble(flavour: str) -> tuple[str, ...]:
    """The statements that restrict a session, for one flavour."""
    limit = (
        f"max_statement_time={STATEMENT_SECONDS}"
        if flavour == "mariadb"
        else f"max_execution_time={STATEMENT_SECONDS * 1000}"
    )
    return (
        f"SET SESSION lock_wait_timeout={LOCK_WAIT_SECONDS}, "
        f"innodb_lock_wait_timeout={LOCK_WAIT_SECONDS}, {limit}, "
        # InnoDB reports start times in the server's own zone; now() must speak the same
        "time_zone='SYSTEM'",
        "SET SESSION TRANSACTION READ ONLY",
    )


class MySQLSession:
    """One login, used by one thread; see ``probes.model.Session`` for each call."""

    def __init__(self, target: Target, purpose: str, address: Address | None = None) -> None:
        self.target = target
        self._address = address or target.address
        self.flavour = ""
        self.version = 0
        self.phases: Mapping[str, float] = {}
        self.memory = Memory()
        self._account = ""
        self._purpose = purpose
        self._connection: _Connection | None = None

    def login(self) -> None:
        """Connect and restrict the session. Raises ``ProbeError``; leaves nothing open."""
        clock = _Phases()
        try:
            self._connection = self._connect(clock)
            who = self.rows("SELECT version() AS version, current_user() AS account")[0]
            self.version = version_of(str(who["version"]))
            self.flavour = flavour_of(str(who["version"]))
            self._account = str(who["account"])
            for statement in preamble(self.flavour):
                self.rows(statement)
            clock.done("first_answer")
        except ProbeError as error:
            if self._connection is not None:
                error.after_contact()
            self.close()
            raise
        self.phases = clock.seconds

    @property
    def shared(self) -> Shared:
        return Shared()  # an owner knows when a round begins; this does not

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        connection = self._connection
        if connection is None:
            raise errors.failure(pymysql.err.InterfaceError(2006, "session is closed"), *self._who)
        deadline.remaining()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return list(cursor.fetchall())
        except ProbeError:
            self._abandon()
            raise
        except (pymysql.err.MySQLError, OSError) as error:
            if not connection.open:
                self._abandon()
            raise errors.failure(error, *self._who) from error
        except _NOT_MYSQL as error:
            self._abandon()
            raise errors.not_mysql(self._address, error) from error

    @contextmanager
    def fresh(self, database: str = "") -> Iterator[Session]:
        target = self.target
        if database:
            target = replace(target, address=replace(target.address, database=database))
        # never by the reserve port: it must show that the slots are taken
        session = _opened(target, self._purpose)
        try:
            yield session
        finally:
            session.close()

    def paths(self) -> Mapping[str, str]:
        named = ", ".join(f"'{name}'" for name in VARIABLES)
        found = self.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({named})")
        return directories({str(row["Variable_name"]): str(row["Value"]) for row in found})

    def close(self) -> None:
        """Send COM_QUIT, so that the server does not log an aborted client; does not wait."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            with deadline.within(CLOSE_SECONDS):
                connection.close()

    @property
    def _who(self) -> tuple[Any, str]:
        return self._address, self._account

    def _abandon(self) -> None:
        """After a broken answer the protocol is out of step and the session must not be used
        again.
        """
        self.close()

    def _connect(self, clock: _Phases) -> _Connection:
        address = self._address
        choice = tls.choice(address)
        local = address.host.startswith("/")
        addresses = [] if local else deadline.resolve(address.host)
        clock.done("resolve")
        try:
            return self._log_in(addresses, choice, clock)
        except pymysql.err.MySQLError as error:
            if not choice.may_fall_back or choice.context is None or not _without_tls(error):
                raise errors.failure(error, address, "").after_contact() from error
        choice.fall_back()
        try:
            return self._log_in(addresses, choice, clock)
        except pymysql.err.MySQLError as error:
            raise errors.failure(error, address, "").after_contact() from error

    def _log_in(self, addresses: list[str], choice: tls.Choice, clock: _Phases) -> _Connection:
        address = self._address
        connected = dial(address, addresses)
        clock.done("connect")
        left = deadline.remaining()
        context = choice.context
        connection = pymysql.connections.Connection(
            host=address.host,
            port=address.port,
            user=address.user,
            # bytes: the driver would write a str in Latin-1 and fail on anything else
            password=address.password.reveal().encode() if address.password else b"",
            database=address.database or None,
            charset="utf8mb4",
            autocommit=True,
            cursorclass=DictCursor,
            program_name=f"sigap/{self._purpose}",
            # not relied on: the socket below keeps the deadline at every call
            connect_timeout=left,
            read_timeout=left,
            write_timeout=left,
            ssl=context,
            ssl_disabled=context is None,
            defer_connect=True,
        )
        try:
            connection.connect(connected)
        except _NOT_MYSQL as error:
            if not _greeted(connection):
                raise errors.before_greeting(address, error) from error
            raise errors.not_mysql(address, error) from error
        except pymysql.err.MySQLError as error:
            if not _greeted(connection):
                raise errors.before_greeting(address, error) from error
            raise
        except ProbeError as error:
            if error.failure.kind is FailureKind.TIMEOUT and not _greeted(connection):
                raise errors.no_greeting(address, error).after_contact() from error
            error.after_contact()
            raise
        finally:
            if not connection.open:
                connected.close()
        clock.done("login")
        shaken = getattr(getattr(connection, "_sock", None), "handshake_seconds", 0.0)
        clock.move(shaken, "login", "tls")
        return connection


def _greeted(connection: _Connection) -> bool:
    return bool(getattr(connection, "server_version", ""))


def _without_tls(error: pymysql.err.MySQLError) -> bool:
    number, message = errors.number_and_message(error)
    return number == errors.TLS_NOT_OFFERED and "doesn't support" in message


class _Phases:
    """How long each part of a login took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def done(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    def move(self, seconds: float, phase: str, to: str) -> None:
        """Count part of one phase as another; the driver does both in one call."""
        if seconds:
            self.seconds[phase] -= seconds
            self.seconds[to] = self.seconds.get(to, 0.0) + seconds


def reserve(address: Address) -> Address | None:
    """The address where the server still accepts a login when its slots are taken, if configured.

    ``extra_port`` (MariaDB), ``admin_port`` with ``admin_host`` (MySQL's admin_address, which needs
    SERVICE_CONNECTION_ADMIN) are options of the address. They are opt-in: MariaDB has one such slot
    by default, and a person may need it.
    """
    port = address.options.get("extra_port") or address.options.get("admin_port") or ""
    if not port.isdigit():
        return None
    host = address.options.get("admin_host") or address.host
    return replace(address, host="127.0.0.1" if host.startswith("/") else host, port=int(port))


def connect(target: Target, purpose: str) -> Session:
    """Log in to ``target`` within the deadline in force; ``purpose`` names the probe.

    The server shows it as program_name (performance_schema.session_connect_attrs).
    A server whose slots are taken is monitored through its reserve port, if there is one.
    Raises ``ProbeError``.
    """
    try:
        return _opened(target, purpose)
    except ProbeError as error:
        other = reserve(target.address)
        if other is None or error.failure.kind is not FailureKind.EXHAUSTED:
            raise
    return _opened(target, purpose, other)


@with_renewed_password
def _opened(target: Target, purpose: str, address: Address | None = None) -> MySQLSession:
    session = MySQLSession(target, purpose, address)
    try:
        session.login()
    except IndexError as error:  # VERSION() without a row: a proxy with nothing behind it
        session.close()
        raise ProbeError(
            FailureKind.BROKEN,
            Text("the server does not say its version"),
            Text("See whether the target is a proxy with no server behind it."),
        ) from error
    return session
