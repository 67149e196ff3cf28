"""Classifies libpq's messages about failed logins and statements, for every engine that uses it.

An engine brings its own tables of known errors; parsing a message and choosing the entry is the
same for all. Codes: PostgreSQL manual, appendix A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2

from probes.model import NOTHING_SAID, Address, FailureKind, ProbeError, Text
from probes.words import failure_text


@dataclass(frozen=True, slots=True)
class KnownError:
    """One kind of error: libpq's wording, the code, and the next move."""

    kind: FailureKind
    hint: Text
    said: str = ""  # regular expression over the English message of a login
    codes: tuple[str, ...] = ()
    title: Text = NOTHING_SAID  # instead of the server's words, where the kind alone would mislead


FOREIGN = KnownError(
    FailureKind.REFUSED,
    Text(
        "Something else answers at {host} port {port}; it does not speak PostgreSQL's protocol: "
        "see on that host who listens there (ss -ltnp), and whether engine and url of the target "
        "in agent.yaml are right."
    ),
    r"received invalid response to SSL negotiation|expected authentication request from server|"
    r"received unencrypted data after|received invalid authentication request|"
    r"authentication method \d+ not supported",
    title=failure_text.NOT_ITS_PROTOCOL,
)
"""Comes first in an engine's table: the quoted bytes may look like anything."""

ERROR_FOR_TLS = KnownError(
    FailureKind.REFUSED,
    Text(
        "What listens at {host} port {port} answers with an error before the login begins: the "
        "server cannot start a process (memory, limit of processes; see its log), or another "
        "program listens there (ss -ltnp)."
    ),
    r"error response during SSL exchange",
    title=Text("answers the request for TLS with an error"),
)

NO_WAY = KnownError(
    FailureKind.UNREACHABLE,
    Text(
        "There is no way to {host} port {port}: check the network, the firewall and whether "
        "that host is on."
    ),
    r"No route to host|Network is unreachable|timed out|could not translate host name|"
    r"Host is down",
)

HUNG_UP = KnownError(
    FailureKind.REFUSED,
    Text(
        "{host} port {port} is reached, but whoever listens there hangs up before the login ends: "
        "it may be another program (ss -ltnp), a proxy with no server behind it, or the server "
        "just starting or ending; read the last lines of its log."
    ),
    r"closed the connection unexpectedly|reset by peer|Broken pipe|could not (receive|send)",
    title=Text("takes the connection and hangs up before it answers"),
)
"""Comes after the network's own errors: "could not receive data: timed out"."""

_LOST = Text(
    "The connection was lost: the server died, was restarted, or the network cut it. Read the "
    "last lines of the server log."
)
_UNKNOWN = Text(
    "An answer Sigap does not know: read the message, and report it if this is an ordinary server."
)


def of_login(
    known: tuple[KnownError, ...], error: psycopg2.Error, address: Address, code: str | None = None
) -> ProbeError:
    """The error for a failed login; ``code`` is the server's SQLSTATE if known."""
    message = one_line(error)
    if not server_answered(error) and "connection to server" not in message:
        message = f"{address.host} port {address.port}: {message}"
    meant = by_text(known, message) or _by_code(known, code)
    if meant is None:
        return ProbeError(FailureKind.BROKEN, message, _UNKNOWN)
    if meant.title != NOTHING_SAID:
        return ProbeError(meant.kind, _filled(meant.title, address), _filled(meant.hint, address))
    return ProbeError(meant.kind, message, _filled(meant.hint, address))


def of_statement(
    known: tuple[KnownError, ...], error: psycopg2.Error, address: Address, *, closed: bool
) -> ProbeError:
    """The error for a failed statement; ``closed``: the connection was lost with it."""
    message = one_line(error)
    meant = _by_code(known, error.pgcode)
    if meant is not None:
        return ProbeError(meant.kind, message, _filled(meant.hint, address))
    if closed or (error.pgcode or "").startswith("08") or error.pgcode == "57P05":
        return ProbeError(FailureKind.UNREACHABLE, message, _LOST)
    return ProbeError(FailureKind.BROKEN, f"{error.pgcode or 'no code'}: {message}", _UNKNOWN)


NO_ANSWER = (
    "nothing answers at {host} port {port}: the network swallows packets or the host is off",
    Text(
        "The first packet to {host} port {port} is not answered: check the firewall (DROP), "
        "the route, and whether that host is on."
    ),
)
"""For the phase ``connect`` of ``silent``."""
NOT_LOGGED_IN = "the login to {host} port {port} was begun but did not end"


def silent(phases: Mapping[str, tuple[str, Text]], phase: str, address: Address) -> ProbeError:
    """The deadline passed in this phase of a login (``probes.wire.libpq``)."""
    message, hint = phases[phase]
    said = message.format(host=address.host, port=address.port)
    return ProbeError(FailureKind.TIMEOUT, said, _filled(hint, address))


def lost() -> ProbeError:
    """The session had ended before the query was sent."""
    return ProbeError(FailureKind.UNREACHABLE, "the session has ended", _LOST)


def server_answered(error: psycopg2.Error) -> bool:
    """Whether the server itself rejected the login, so that its other addresses need not be tried.

    Only a server's message begins with a severity ("FATAL:", in any language), alone or after
    libpq's "failed:".
    """
    return bool(re.search(r"(?:^|failed: +)[^\s:]+ ?: ", one_line(error)))


def by_text(known: tuple[KnownError, ...], message: str) -> KnownError | None:
    """The first entry whose wording occurs in the message."""
    return next((k for k in known if k.said and re.search(k.said, message)), None)


def _by_code(known: tuple[KnownError, ...], code: str | None) -> KnownError | None:
    return next((k for k in known if code in k.codes), None) if code else None


def _filled(hint: Text, address: Address) -> Text:
    return hint.format(
        user=address.user,
        database=address.database or address.user,
        host=address.host,
        port=address.port,
    )


def one_line(error: psycopg2.Error) -> str:
    """The last message: libpq repeats itself for every way (TLS, plain) it has tried."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    failed = [line for line in lines if "failed:" in line]
    first = failed[-1] if failed else (lines[0] if lines else type(error).__name__)
    return re.sub(r"\s+", " ", first)
