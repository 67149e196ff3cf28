"""Classifies PgBouncer's messages about failed logins and queries, with the next move.

It has English messages only and uses code 08P01 for nearly everything, so the text decides.
Messages: src/client.c and src/objects.c of PgBouncer; tested on 1.18, 1.24 and 1.26.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
        FailureKind.DENIED,
        Text(
            "PgBouncer knows account {user} but does not let it look: add to pgbouncer.ini under "
            "[pgbouncer]: stats_users = {user} and reload it (RELOAD)."
        ),
        r"not allowed",
        title=Text("does not let account {user} use the admin console (stats_users)"),
    ),
    KnownError(
        FailureKind.EXHAUSTED,
        Text(
            "A limit of clients is reached: find out who hoards connections (SHOW CLIENTS), then "
            "raise that limit together with the service's limit of open files (LimitNOFILE)."
        ),
        r"no more connections allowed|client connections exceeded|max_client_conn|"
        r"too many (client )?connections",
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "Database {database} was switched off with DISABLE. If that work is done, run on the "
            "admin console: ENABLE {database};"
        ),
        r"is disabled|database does not allow connections",
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "PgBouncer is shutting down. If nobody planned it, its log says who asked (SHUTDOWN, "
            "SIGTERM)."
        ),
        r"shutting down|server shutdown|terminating connection due to administrator",
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "PgBouncer is alive but does not get in to the PostgreSQL behind {database}: check "
            "that server, and its address and password in pgbouncer.ini; its log says why."
        ),
        r"server login (has been failing|failed)|server down|server conn crashed|"
        r"server_login_retry|connect failed|pgbouncer cannot connect to server|"
        r"server DNS lookup failed|query_wait_timeout",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "There is no database {database} under [databases] of pgbouncer.ini: mend the "
            "target's url, or add that database."
        ),
        r"no such database",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "The password of account {user} is wrong, or that account is neither in auth_file "
            "(userlist.txt) nor found by auth_query: make it the same as in the target's "
            "password_file, and reload PgBouncer."
        ),
        r"authentication failed|no such user|login rejected|no pg_hba|role .* does not exist|"
        r"password|auth",
    ),
    KnownError(
        FailureKind.BROKEN,
        Text(
            "PgBouncer refuses an option of the target's url: take it out, or add it to "
            "ignore_startup_parameters."
        ),
        r"unsupported startup parameter|unrecognized configuration",
    ),
    KnownError(
        FailureKind.BROKEN,
        Text(
            "TLS does not fit: make sslmode in the target's url agree with client_tls_sslmode in "
            "pgbouncer.ini, and check the certificate."
        ),
        r"SSL|TLS|certificate",
    ),
    KnownError(
        FailureKind.REFUSED,
        Text(
            "Nothing listens at {host} port {port}: PgBouncer is down, or listen_addr and "
            "listen_port disagree. Check the service and the last lines of its log."
        ),
        r"Connection refused|No such file or directory",
    ),
    KnownError(
        FailureKind.DENIED,
        Text(
            "The agent may not open the socket in {host}: check that directory's mode and "
            "unix_socket_mode."
        ),
        r"Permission denied",
    ),
    NO_WAY,
    HUNG_UP,
)

_FROZEN = Text(
    "The kernel takes the connection but PgBouncer is silent: look whether its process is stopped "
    "(state T: `kill -CONT PID`), held by SUSPEND (run RESUME), or uses a whole core; it "
    "runs on one core only."
)

_SILENT: Mapping[str, tuple[str, Text]] = {
    "connect": NO_ANSWER,
    "tls": (
        "{host} port {port} takes connections but the PgBouncer behind it says nothing",
        _FROZEN,
    ),
    "login": (NOT_LOGGED_IN, _FROZEN),
}

_NO_SERVER = Text(
    "PgBouncer takes the client, but has no server connection for {database}: the pool is full, "
    "it is paused, or the PostgreSQL behind it cannot be reached; see SHOW POOLS and SHOW "
    "DATABASES."
)

_STATEMENT: tuple[KnownError, ...] = (
    KnownError(
        FailureKind.BLIND,
        Text(
            "The admin console does not know that command in this version, or account {user} is "
            "no longer one of stats_users: update Sigap, or report the version."
        ),
        codes=("08P01",),
    ),
)


def of_login(error: psycopg2.Error, address: Address, database: str) -> ProbeError:
    """The error for a failed login to the console, or through a database's pool."""
    return libpq_errors.of_login(_LOGIN, error, replace(address, database=database))


def silent(phase: str, address: Address, database: str) -> ProbeError:
    """The deadline passed in this phase of a login (``probes.wire.libpq``)."""
    where = replace(address, database=database)
    if phase == "login" and database == address.database:
        waits = (
            "the login to {host} port {port} waits for a server connection of the pool",
            _NO_SERVER,
        )
        return libpq_errors.silent({**_SILENT, "login": waits}, phase, where)
    return libpq_errors.silent(_SILENT, phase, where)


def of_statement(error: psycopg2.Error, address: Address, *, closed: bool) -> ProbeError:
    """The error for a failed query; ``closed``: the connection was lost with it."""
    # PgBouncer ends a connection with the same code it uses for an unknown command.
    return libpq_errors.of_statement(() if closed else _STATEMENT, error, address, closed=closed)
