"""Remaining validity of the server's TLS certificate.

Read by SQL in one login over TLS that is opened for it and closed (MariaDB shows the date only to a
session over TLS), never by an aborted handshake, because those make the server block the agent's
address. Source: status variable Ssl_server_not_after, on both flavours.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace

from probes.model import FailureKind, Measurement, ProbeError, Session, Target, Text
from probes.mysql.ask import status, variables
from probes.mysql.connection.connect import connect
from probes.templates import tls_certificate
from probes.words import failure_text

_NOT_AFTER = "Ssl_server_not_after"


def read(session: Session) -> Iterator[Measurement]:
    """Whether TLS is offered, and seconds until the certificate ends."""
    offered = _offered(session)
    yield Measurement("tls_offered", float(offered))
    if not offered:
        return
    until = status(session, _NOT_AFTER).get(_NOT_AFTER.lower(), "")
    if not until:
        until = _asked_over_tls(session.target)
    if not until:
        return
    now = float(session.rows("SELECT unix_timestamp() AS now")[0]["now"])
    yield tls_certificate.left(ssl.cert_time_to_seconds(until), now)


def _offered(session: Session) -> bool:
    """MySQL 8.4+ has no have_ssl; there a configured certificate means the same."""
    found = variables(session, "have_ssl", "ssl_cert", "tls_version")
    if "have_ssl" in found:
        return found["have_ssl"].upper() == "YES"
    return bool(found.get("ssl_cert")) and bool(found.get("tls_version", "on"))


def over_tls(options: Mapping[str, str]) -> dict[str, str]:
    """The target's options with TLS required; the certificate is not verified against a named CA.

    An expired certificate must be read, not refused.
    """
    return {k: v for k, v in options.items() if k not in {"ssl_ca", "ssl_verify_identity"}} | {
        "ssl": "required"
    }


def _asked_over_tls(target: Target) -> str:
    address = replace(target.address, options=over_tls(target.address.options))
    try:
        session = connect(replace(target, address=address), "tls_certificate")
    except ProbeError as error:
        raise ProbeError(
            FailureKind.BLIND,
            Text(
                "no login over TLS, so the certificate cannot be read: {why}",
                why=failure_text.words(error.failure),
            ),
            error.failure.hint,
        ) from error
    try:
        return status(session, _NOT_AFTER).get(_NOT_AFTER.lower(), "")
    finally:
        session.close()


PROBE = tls_certificate.probe(
    "mysql",
    question=Text("How long is the server's TLS certificate still valid?"),
    read=read,
    how_to_replace=Text(
        "Install a new certificate, then `ALTER INSTANCE RELOAD TLS` (MySQL) or `FLUSH "
        "SSL` (MariaDB): without a restart."
    ),
    runbook=Text(
        "1. Who issues it, and who installed it last? 2. Replace it on every server of the "
        "cluster. 3. Reload without a restart. 4. Match the CA of clients and replicas."
    ),
)
