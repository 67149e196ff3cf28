"""Classifies errors of the server or the driver as ``ProbeError`` with the next move.

Numbers: the error reference of MySQL 8.4 and the error codes of MariaDB. Every kind has its own
text, because "cannot connect" sends people to the wrong place.
"""

from __future__ import annotations

import ssl

from probes.model import Address, FailureKind, ProbeError, Text
from probes.mysql.grants import missing
from probes.words import failure_text

TLS_NOT_OFFERED = 2026

_SERVER_FULL = 1040
_ACCOUNT_FULL = {1203, 1226}  # max_user_connections, of the server or of the account
_DENIED = {1044, 1045, 1049, 1129, 1130, 1251, 1396, 1524, 1698, 1820, 1862, 2059, 3118, 4151}
_BLIND = {1142, 1143, 1227, 1370}
_RENAMED = {1054, 1109, 1146, 1193}
_LOCK_WAIT_TIMEOUT = 1205
_TOO_LONG = {1969, 3024, 1907}  # max_statement_time, max_execution_time
_LOST = {2002, 2003, 2006, 2013, 2055, 1927, 1152, 1158, 1159, 1160, 1161, 4031}
_KILLED = 1317  # KILL QUERY; the session lives on
_STOPPING = {1053, 1077, 1079}
_OFFLINE = {3032, 6400, 6401}  # MySQL 9 says since when, and why or by whom
_NO_DATABASE = {1044, 1049}
_ACCOUNT_AT_LIMIT = Text(
    "lives, but the monitoring account {user} reached its own connection limit ({number})"
)
_NOT_OFFERED = Text("does not offer the database {database} ({number})")

_HUNG_UP = Text("takes the connection and hangs up before it answers")

_HINTS: dict[str, Text] = {
    "server_full": Text(
        "Every connection slot is taken: see by whom (SHOW PROCESSLIST, through extra_port or "
        "admin_address where there is one), then close what is not needed or raise "
        "max_connections."
    ),
    "account_full": Text(
        "The monitoring account {user} reached its own connection limit: look for another agent "
        "using the account, or raise its MAX_USER_CONNECTIONS."
    ),
    "password": Text(
        "The password or the account {user} was rejected: check the target's password_file and "
        "SHOW GRANTS FOR that account; it must be allowed in from the agent's machine."
    ),
    "blocked": Text(
        "The server blocks the agent's address after too many failures: run FLUSH HOSTS (MySQL "
        "8.4: TRUNCATE TABLE performance_schema.host_cache) once the cause is mended."
    ),
    "host": Text(
        "The account {user} may not log in from the agent's address: create it for that address."
    ),
    "locked": Text(
        "The account {user} is locked or its password expired: "
        "ALTER USER ... ACCOUNT UNLOCK / IDENTIFIED BY."
    ),
    "database": Text(
        "The database in the target's url does not exist or may not be opened; leave it out, "
        "Sigap does not need one."
    ),
    "plugin": Text(
        "The agent does not know how the account {user} authenticates: use mysql_native_password, "
        "caching_sha2_password or ed25519."
    ),
    "lost": Text(
        "The server dropped the connection: see whether it restarted or died, and its error log."
    ),
    "stopping": Text("The server is shutting down: wait, then find out who stopped it."),
    "offline": Text(
        "offline_mode is on: the server lives but takes administrators only. Somebody turned it "
        "on, or the server left its group over an error (see its log). A person runs SET GLOBAL "
        "offline_mode = OFF once the cause is mended."
    ),
    "too_long": Text(
        "The server lives and cancelled Sigap's question at its own time limit "
        "(max_statement_time, max_execution_time): it is overloaded or the table too large; Sigap "
        "asks again next round."
    ),
    "killed": Text(
        "Somebody, or a script that tidies up, cancelled Sigap's question with KILL QUERY; Sigap "
        "asks again next round. Exempt the monitoring account from that script."
    ),
    "lock": Text(
        "Sigap's question waited for another session's lock beyond its limit and gave up: see "
        "blocked_sessions."
    ),
    "greeting": Text(
        "The connection is taken but MySQL's greeting does not come: the process is stopped "
        "(SIGSTOP, state T or D), overloaded, or there is no MySQL/MariaDB on that port, {where}."
    ),
    "tls": Text(
        "TLS failed: check the target's ssl and ssl_ca options and the server's certificate "
        "(validity, issuer)."
    ),
    "insecure": Text("The server takes TLS only: write ssl: required for the target."),
    "renamed": Text(
        "This server version does not know that name: report the version so that Sigap adapts."
    ),
    "syntax": Text(
        "The server does not know that statement: report the server's version and this message."
    ),
    "unknown": Text(
        "The server answers with error {number}, which Sigap does not know yet: look the number up "
        "in the server's manual and report it."
    ),
    "foreign": Text(
        "Something else answers at {where}; it does not speak MySQL's protocol: see on that host "
        "who listens there (ss -ltnp), and whether engine and url of the target in agent.yaml are "
        "right."
    ),
    "hung_up": Text(
        "{where} is reached, but whoever listens there hangs up without MySQL's greeting: it may "
        "be another program (ss -ltnp), a proxy with no server behind it, or the server just "
        "starting or ending; read its error log."
    ),
    "answer": Text(
        "What answers at {where} is not a MySQL/MariaDB server: check the target's url."
    ),
}

_DENIED_HINTS = {
    1129: "blocked",
    1130: "host",
    1044: "database",
    1049: "database",
    1820: "locked",
    1862: "locked",
    3118: "locked",
    4151: "locked",
    1251: "plugin",
    1524: "plugin",
    2059: "plugin",
}


def number_and_message(error: BaseException) -> tuple[int, str]:
    """The server's error number and message; number 0 if the driver gave none."""
    match error.args:
        case (int(number), str(message), *_):
            return number, message
        case (int(number),):
            return number, type(error).__name__
    return 0, " ".join(str(each) for each in error.args) or type(error).__name__


def failure(error: BaseException, address: Address, account: str) -> ProbeError:
    """The ``ProbeError`` for a driver's exception. ``account`` is CURRENT_USER(), or ''."""
    number, message = number_and_message(error)
    kind, hint = _meaning(number, message, address, account or address.user)
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLError):
        kind, hint = FailureKind.UNREACHABLE, _HINTS["tls"]
    words: str | Text = f"({number}) {message}" if number else message
    if number in _NO_DATABASE:
        words = _NOT_OFFERED.format(number=number, database=address.database)
    if number in _ACCOUNT_FULL:
        words = _ACCOUNT_AT_LIMIT.format(number=number, user=account or address.user)
    meant = ProbeError(kind, words, hint)
    meant.waited_for_lock = number == _LOCK_WAIT_TIMEOUT
    return meant


def not_mysql(address: Address, error: BaseException) -> ProbeError:
    """The peer does not speak the protocol."""
    where = f"{address.host}:{address.port}"
    return ProbeError(
        FailureKind.BROKEN,
        Text(
            "{where} does not speak MySQL's protocol ({name}: {error})",
            where=where,
            name=type(error).__name__,
            error=error,
        ),
        _HINTS["answer"].format(where=where),
    )


def before_greeting(address: Address, error: BaseException) -> ProbeError:
    """A login failed before the server sent its version; the peer may not be a server at all."""
    number, _ = number_and_message(error)
    if number == 0:  # it sent something that is no packet of this protocol
        where = f"{address.host}:{address.port}"
        hint = _HINTS["foreign"].format(where=where)
        return ProbeError(FailureKind.REFUSED, failure_text.NOT_ITS_PROTOCOL, hint)
    if number in _LOST:
        return hung_up(address)
    return failure(error, address, "")


def hung_up(address: Address) -> ProbeError:
    """The peer accepted the connection and closed it without a greeting."""
    hint = _HINTS["hung_up"].format(where=f"{address.host}:{address.port}")
    return ProbeError(FailureKind.REFUSED, _HUNG_UP, hint)


def no_greeting(address: Address, error: ProbeError) -> ProbeError:
    """No data came before the deadline; a MySQL server always sends the first packet."""
    hint = _HINTS["greeting"].format(where=f"{address.host}:{address.port}")
    return ProbeError(FailureKind.TIMEOUT, error.failure.message, hint)


def _meaning(number: int, message: str, address: Address, account: str) -> tuple[FailureKind, Text]:
    if number == _SERVER_FULL:
        return FailureKind.EXHAUSTED, _HINTS["server_full"]
    if number in _ACCOUNT_FULL:
        return FailureKind.EXHAUSTED, _HINTS["account_full"].format(user=account)
    if number in _DENIED:
        hint = _HINTS[_DENIED_HINTS.get(number, "password")]
        return FailureKind.DENIED, hint.format(user=account)
    if number in _BLIND:
        line = missing(message, account)
        return FailureKind.BLIND, Text("Run as a database administrator: {line}", line=line)
    if number in _RENAMED:
        return FailureKind.BLIND, _HINTS["renamed"]
    if number == _LOCK_WAIT_TIMEOUT:
        return FailureKind.BLIND, _HINTS["lock"]
    if number == _KILLED:
        return FailureKind.BLIND, _HINTS["killed"]
    if number in _TOO_LONG:
        return FailureKind.BLIND, _HINTS["too_long"]
    if number in _OFFLINE:
        return FailureKind.REFUSED, _HINTS["offline"]
    if number in _STOPPING:
        return FailureKind.REFUSED, _HINTS["stopping"]
    if number in _LOST or (number == 0 and "closed" in message.lower()):
        return FailureKind.UNREACHABLE, _HINTS["lost"]
    if number == TLS_NOT_OFFERED:
        return FailureKind.UNREACHABLE, _HINTS["tls"]
    if number == 3159:
        return FailureKind.DENIED, _HINTS["insecure"]
    if number == 1064:
        return FailureKind.BROKEN, _HINTS["syntax"]
    if number:
        return FailureKind.BROKEN, _HINTS["unknown"].format(number=number)
    return FailureKind.BROKEN, _HINTS["answer"].format(where=f"{address.host}:{address.port}")
