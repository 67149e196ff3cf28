"""Remaining validity of the server's TLS certificate.

No view of PostgreSQL has it, so the certificate is read from a separate handshake: an SSLRequest,
TLS without verification, and close, without logging in. Expiry is measured by the server's clock.
Sources: PostgreSQL manual, "SSL Session Encryption"; RFC 5280, 4.1.2.5.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable

from probes.model import FailureKind, Measurement, ProbeError, Session, Text
from probes.templates import tls_certificate
from probes.wire import deadline

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_READ_BYTES = 16384

_NOW = "select extract(epoch from clock_timestamp())::float8 as now"


def read(session: Session) -> Iterable[Measurement]:
    """Nothing over a Unix socket; ``tls_offered`` 0 if the server has no TLS."""
    address = session.target.address
    if address.host.startswith("/"):
        return
    der = certificate(address.host, address.port)
    yield Measurement("tls_offered", float(der is not None))
    if der is None:
        return
    from cryptography import x509  # heavy, and asked for once an hour

    found = x509.load_der_x509_certificate(der)
    now = float(session.rows(_NOW)[0]["now"])
    yield tls_certificate.left(
        found.not_valid_after_utc.timestamp(),
        now,
        found.subject.rfc4514_string(),
        found.issuer.rfc4514_string(),
    )


def certificate(host: str, port: int) -> bytes | None:
    """The server's certificate, DER; None if it has no TLS.

    Ends by the deadline in force. A failed handshake is ``ProbeError(BLIND)``: availability reports
    whether the server can be used at all.
    """
    try:
        with socket.create_connection(
            (deadline.resolve(host)[0], port), timeout=deadline.remaining()
        ) as sock:
            sock.sendall(_SSL_REQUEST)
            sock.settimeout(deadline.remaining())
            if sock.recv(1) != b"S":
                return None
            return _handshake(sock)
    except OSError as error:  # ssl.SSLError and TimeoutError are among them
        raise ProbeError(
            FailureKind.BLIND,
            Text("the certificate could not be read: {error}", error=error),
            Text(
                "Try: openssl s_client -starttls postgres -connect {host}:{port}",
                host=host,
                port=port,
            ),
        ) from error


def _handshake(sock: socket.socket) -> bytes | None:
    """TLS in memory, so that every wait obeys the deadline."""
    context = ssl.create_default_context()
    context.check_hostname = False
    # Only its dates are wanted: an expired or home-made certificate must be readable as well.
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    while True:
        try:
            tls.do_handshake()
            return tls.getpeercert(binary_form=True)
        except ssl.SSLWantReadError:
            sock.settimeout(deadline.remaining())
            sock.sendall(outgoing.read())
            sock.settimeout(deadline.remaining())
            data = sock.recv(_READ_BYTES)
            if not data:
                raise ConnectionResetError("closed during the handshake") from None
            incoming.write(data)


PROBE = tls_certificate.probe(
    "postgresql",
    question=Text("When does the TLS certificate expire?"),
    read=read,
    how_to_replace=Text(
        "Have {issuer} issue a new one, replace ssl_cert_file, then `SELECT "
        "pg_reload_conf()`: no restart is needed."
    ),
    runbook=Text(
        "1. Who issued it and who takes care of it. 2. Replace ssl_cert_file and ssl_key_file. "
        "3. Reload. 4. Try from an application with sslmode=verify-full. 5. Replicas and poolers "
        "too."
    ),
)
