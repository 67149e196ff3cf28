"""Classifies errors of PostgreSQL and libpq, with the next move.

psycopg2 keeps the SQLSTATE of a failed statement but not that of a failed login, so a login is
recognised by its English text. For a server with another language (``lc_messages``)
``probes.postgresql.connection.startup`` reads the code with a second connection.
Codes: PostgreSQL manual, appendix A.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2

from probes.model import Address, FailureKind, ProbeError, Text
from probes.wire import libpq_errors
from probes.wire.libpq_errors import (
    ERROR_FOR_TLS,
    FOREIGN,
    HUNG_UP,
    NO_ANSWER,
    NO_WAY,
    NOT_LOGGED_IN,
    KnownError,
)

_LOGIN: tuple[KnownError, ...] = (
    FOREIGN,
    ERROR_FOR_TLS,
    KnownError(
        FailureKind.REFUSED,
        Text(
            "The server is starting or recovering: wait, and follow its progress in the server "
            "log (redo, consistent recovery state)."
        ),
        r"system is starting up|in recovery mode|not yet accepting connections|"
        r"not accepting connections",
        ("57P03",),
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "The server is shutting down. If nobody planned it, the server log says who asked "
            "(received fast shutdown request)."
        ),
        r"is shutting down|terminating connection due to administrator command",
        ("57P01", "57P02"),
    ),
    KnownError(
        FailureKind.EXHAUSTED,
        Text(
            "No connection slot is left: find the application that hoards sessions (SELECT "
            "usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3) "
            "and cap its pool; raising max_connections needs a restart. reserved_connections (16 "
            "and later) keeps a door open for Sigap."
        ),
        r"too many clients|connection slots are reserved",
        ("53300",),
    ),
    KnownError(
        FailureKind.EXHAUSTED,  # the server has room, but not for us
        Text(
            "The CONNECTION LIMIT of account {user} is reached: find out who uses that account "
            "(SELECT pid, application_name, client_addr, backend_start FROM pg_stat_activity "
            "WHERE usename = '{user}'), or raise it: ALTER ROLE {user} CONNECTION LIMIT …"
        ),
        r"too many connections for role",
        title=Text("has reached the connection limit of account {user} itself"),
    ),
    KnownError(
        FailureKind.EXHAUSTED,
        Text(
            "The CONNECTION LIMIT of database {database} is reached, for its applications too: "
            "find who hoards sessions there, or raise it: ALTER DATABASE {database} CONNECTION "
            "LIMIT …"
        ),
        r"too many connections for database",
        title=Text("is out of connections for the database {database}"),
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "A pg_hba.conf line with method reject shuts account {user} out from this address; a "
            "line added below it changes nothing. Find it (SELECT line_number, type, database, "
            "user_name, address FROM pg_hba_file_rules WHERE auth_method = 'reject') and ask who "
            "wrote it; then remove it, or put a line for {user} above it, and SELECT "
            "pg_reload_conf()."
        ),
        r"pg_hba\.conf rejects",
        title=Text("rejects the monitoring account {user} by a line in pg_hba.conf"),
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "No pg_hba.conf line lets account {user} in from this address: add one for database "
            "{database}, then SELECT pg_reload_conf()."
        ),
        r"no pg_hba\.conf entry",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "The password of account {user} is wrong or missing: check the target's "
            "password_file, or set it anew with ALTER ROLE {user} PASSWORD."
        ),
        r"password authentication failed|no password supplied|fe_sendauth",
        ("28P01",),
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "Account {user} does not exist or may not log in: run the script that "
            "`sigap grants postgresql` prints."
        ),
        r'role "[^"]*" does not exist|not permitted to log in',
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "Database {database} does not exist or is closed to {user}: mend the target's url "
            "(the usual choice is the database postgres)."
        ),
        r'database "[^"]*" does not exist|permission denied for database|'
        r"not currently accepting connections",
        ("3D000", "42501", "55000"),
        Text("does not offer the database {database} to {user}"),
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "TLS was not agreed on: match the target's sslmode and sslrootcert with the "
            "server's certificate (name, issuer, expiry)."
        ),
        r"SSL error|SSL SYSCALL|does not support SSL|server certificate for|root certificate|"
        r"certificate",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "The server rejects account {user}: the message above says why; check pg_hba.conf "
            "and the role."
        ),
        r"authentication failed|GSSAPI|SCRAM|peer auth",
        ("28000",),
    ),
    KnownError(
        FailureKind.BROKEN,
        Text(
            "This is a pooler, not a server: point the target at PostgreSQL itself, since a "
            "pooler hides the server behind it; PgBouncer is watched by a target of its own "
            "(engine: pgbouncer)."
        ),
        r"unsupported startup parameter",
        ("08P01",),
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "Nothing listens at {host} port {port}: the server is down, or the address and "
            "listen_addresses disagree. Check the service and the last lines of its log."
        ),
        r"Connection refused|No such file or directory",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "The agent may not open the socket in {host}: check that directory's mode and "
            "unix_socket_permissions."
        ),
        r"Permission denied",
    ),
    NO_WAY,
    HUNG_UP,
)

# A server whose kernel takes the connection and that then says nothing is not the same fault as
# a network that swallows the first packet.
_SILENT: Mapping[str, tuple[str, Text]] = {
    "connect": NO_ANSWER,
    "tls": (
        "{host} port {port} takes connections but the server behind it says nothing",
        Text(
            "The kernel takes the connection but postgres is silent from the first packet on. If "
            "the evidence shows state T, run `kill -CONT PID` for each of its postgres processes; "
            "if D, check the storage; else the load of the host."
        ),
    ),
    "login": (
        NOT_LOGGED_IN,
        Text(
            "The server takes the connection but the login does not end. If the evidence shows "
            "state T, run `kill -CONT PID`; if D, check the storage; else a silent authentication "
            "server (LDAP, RADIUS), or an overloaded host."
        ),
    ),
}

_STATEMENT: tuple[KnownError, ...] = (
    KnownError(
        FailureKind.BLIND,
        Text("Account {user} may not see this. Run: GRANT pg_monitor TO {user};"),
        codes=("42501",),
    ),
    KnownError(
        FailureKind.BLIND,  # it answered with a refusal: it is alive
        Text(
            "The server cancelled Sigap's question because it took too long (statement_timeout) "
            "or because somebody asked: the server is overloaded, or its catalogue is bloated."
        ),
        codes=("57014",),
    ),
    KnownError(
        FailureKind.BLIND,
        Text(
            "Sigap's question waited for a lock beyond its limit and gave up: a session holds an "
            "exclusive lock on the catalogue; see blocked_sessions."
        ),
        codes=("55P03",),
    ),
    KnownError(
        FailureKind.BLIND,
        Text("This server version lacks that view or column: update Sigap, or report the version."),
        codes=("42P01", "42703", "42883", "42704"),
    ),
    KnownError(
        FailureKind.BLIND,
        Text(
            "The server ran out of memory or disk space while answering: see the host's volumes "
            "and memory."
        ),
        codes=("53100", "53200", "53400"),
    ),
    KnownError(
        FailureKind.BLIND,
        Text("Recovery on the replica cancelled this question; Sigap asks again next round."),
        codes=("40001", "40P01"),
    ),
    KnownError(FailureKind.REFUSED, _LOGIN[1].hint, codes=("57P01", "57P02", "57P03")),
    KnownError(FailureKind.EXHAUSTED, _LOGIN[2].hint, codes=("53300",)),
    KnownError(
        FailureKind.BROKEN,
        Text(
            "A database file is damaged or unreadable to the server: stop writing, secure a "
            "copy, and check the server log and the storage."
        ),
        codes=("58030", "58P01", "XX001", "XX002"),
    ),
)


def of_login(error: psycopg2.Error, address: Address, code: str | None = None) -> ProbeError:
    """The error for a failed login; ``code`` is the server's SQLSTATE if known."""
    return libpq_errors.of_login(_LOGIN, error, address, code)


def silent(phase: str, address: Address) -> ProbeError:
    """The deadline passed in this phase of a login (``probes.wire.libpq``)."""
    return libpq_errors.silent(_SILENT, phase, address)


def is_known_login(error: psycopg2.Error) -> bool:
    """Whether the text of a failed login is recognised."""
    return libpq_errors.by_text(_LOGIN, libpq_errors.one_line(error)) is not None


_LOCK_NOT_AVAILABLE = "55P03"


def of_statement(error: psycopg2.Error, address: Address, *, closed: bool) -> ProbeError:
    """The error for a failed statement; ``closed``: the connection was lost with it."""
    meant = libpq_errors.of_statement(_STATEMENT, error, address, closed=closed)
    meant.waited_for_lock = error.pgcode == _LOCK_NOT_AVAILABLE
    return meant
