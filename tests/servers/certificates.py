"""Certificates for a test's own server, of either engine."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import Server


def certify(server: Server | MariaDB, days: float) -> dt.datetime:
    """Give the server its own certificate that expires in so many days, load it, return its end.

    MariaDB and MySQL reload it only if they were started with one: see ``ssl_options``.
    """
    if isinstance(server, Server):
        ends = issue(server.data, days)
        server.sql("alter system set ssl = on")
        server.sql("select pg_reload_conf()")
    else:
        ends = issue(server.folder, days)
        server.sql(server.reload_tls)
    return ends


def ssl_options(server: MariaDB) -> tuple[str, ...]:
    """What the server must be started with to have the certificate ``certify`` gives it."""
    return f"ssl-cert={server.folder / 'server.crt'}", f"ssl-key={server.folder / 'server.key'}"


def issue(folder: Path, days: float) -> dt.datetime:
    """Write ``server.crt``, ending in so many days, and ``server.key`` for the folder's owner."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "simpeg.example")])
    now = dt.datetime.now(dt.UTC)
    ends = now + dt.timedelta(days=days)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    owner = folder.stat()
    for file, content in (("server.key", private), ("server.crt", certificate.public_bytes(pem))):
        path = folder / file
        path.write_bytes(content)
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)
    return ends
