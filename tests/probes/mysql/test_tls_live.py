"""TLS against a real server: used where it should be, verified where asked, never beyond time."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from probes import FailureKind, ProbeError, Severity, Target
from probes.mysql.connection import tls, tls_certificate
from probes.mysql.connection.connect import connect
from probes.wire import deadline
from tests.probes.mysql.asking import findings, measured
from tests.servers import mariadb
from tests.servers.dripping import DrippingProxy

pytestmark = pytest.mark.servers

LIMIT, SLACK = 0.4, 1.5  # as in test_sessions_live: late by a busy machine, never for ever


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A self-signed certificate for localhost, readable by the server's user."""
    with tempfile.TemporaryDirectory(prefix="sgp-tls-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        subprocess.run(
            [
                mariadb.binary("openssl", "openssl"),
                "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        (folder / "key.pem").chmod(0o644)
        yield folder


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[mariadb.MariaDB]:
    options = [f"ssl-cert={certificate / 'cert.pem'}", f"ssl-key={certificate / 'key.pem'}"]
    with mariadb.servers(1, options) as (made,):
        made.sql(
            f"CREATE USER '{mariadb.MONITOR}'@'%' IDENTIFIED BY '{mariadb.MONITOR_PASSWORD}' "
            "REQUIRE SSL"
        )
        yield made


def cipher(target: Target) -> str:
    with deadline.within(10):
        session = connect(target, "test")
        found = session.rows("SHOW STATUS LIKE 'Ssl_cipher'")
        session.close()
    return str(found[0]["Value"])


@pytest.mark.parametrize("mode", ["required", "preferred"])
def test_a_server_with_tls_is_spoken_to_under_it(server: mariadb.MariaDB, mode: str) -> None:
    assert cipher(server.target(options={"ssl": mode}))


def test_a_named_ca_verifies_the_server_and_its_name(
    server: mariadb.MariaDB, certificate: Path
) -> None:
    options = {"ssl_ca": str(certificate / "cert.pem"), "ssl_verify_identity": "true"}
    assert cipher(server.target(options=options))


def test_a_certificate_of_somebody_else_is_not_trusted(
    server: mariadb.MariaDB, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    subprocess.run(
        [
            mariadb.binary("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-keyout", tmp_path / "k.pem", "-out", other, "-days", "2", "-subj", "/CN=other",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with pytest.raises(ProbeError) as caught:
        cipher(server.target(options={"ssl_ca": str(other)}))
    assert caught.value.failure.kind is FailureKind.UNREACHABLE
    assert "ssl_ca" in caught.value.failure.hint.en


def test_preferred_falls_back_once_and_remembers(primary: mariadb.MariaDB) -> None:
    target = primary.target(options={"ssl": "preferred"})
    assert cipher(target) == ""
    assert tls.choice(target.address).context is None
    assert cipher(target) == ""


def test_required_does_not_fall_back(primary: mariadb.MariaDB) -> None:
    with pytest.raises(ProbeError) as caught:
        cipher(primary.target(options={"ssl": "required"}))
    assert caught.value.failure.kind is FailureKind.UNREACHABLE


def test_under_tls_too_a_frozen_server_ends_by_the_deadline(server: mariadb.MariaDB) -> None:
    target = server.target(options={"ssl": "required"})
    with deadline.within(10):
        session = connect(target, "test")
    with server.frozen():
        started = time.monotonic()
        with pytest.raises(ProbeError) as caught, deadline.within(LIMIT):
            session.rows("SELECT 1")
        assert caught.value.failure.kind is FailureKind.TIMEOUT
        assert LIMIT * 0.9 <= time.monotonic() - started < LIMIT + SLACK


def test_a_dripping_handshake_and_a_dripping_answer_end_by_the_deadline(
    server: mariadb.MariaDB,
) -> None:
    proxy = DrippingProxy(server.port)
    target = server.target(options={"ssl": "required"})
    target = replace(target, address=replace(target.address, port=proxy.port))
    try:
        with deadline.within(10):
            session = connect(target, "test")
        # slow enough for the handshake to outlast the limit, quick enough to get past the greeting
        for pace, ask in (
            (0.002, lambda: connect(target, "test")),
            (0.05, lambda: session.rows("SHOW GLOBAL VARIABLES")),
        ):
            proxy.pace_seconds = pace
            started = time.monotonic()
            with pytest.raises(ProbeError) as caught, deadline.within(LIMIT):
                ask()
            assert caught.value.failure.kind is FailureKind.TIMEOUT
            assert LIMIT * 0.9 <= time.monotonic() - started < LIMIT + SLACK
    finally:
        proxy.close()


@pytest.mark.parametrize("mode", ["required", "disabled"])
def test_a_certificate_in_its_last_week_is_critical_however_we_log_in(
    server: mariadb.MariaDB, mode: str
) -> None:
    server.sql(
        f"CREATE OR REPLACE USER 'bebas'@'%' IDENTIFIED BY '{mariadb.MONITOR_PASSWORD}'",
        "GRANT SLAVE MONITOR ON *.* TO 'bebas'@'%'",
    )
    target = server.target(user="bebas", options={"ssl": mode})
    found = measured("tls_certificate", target)["tls_certificate_expires_in_seconds"]
    assert 86400 < found.value < 2 * 86400
    verdict = findings("tls_certificate", target)["tls_certificate_expires_in_seconds"]
    assert verdict.severity is Severity.CRITICAL
    assert "expires in" in verdict.title.en
    assert "UTC" in verdict.title.en


def test_an_expired_certificate_is_read_not_refused() -> None:
    assert tls_certificate.over_tls({"ssl_ca": "a", "ssl_verify_identity": "true", "ssl": "x"}) == {
        "ssl": "required"
    }


def test_the_tls_handshake_is_a_phase_of_its_own(server: mariadb.MariaDB) -> None:
    with deadline.within(10):
        session = connect(server.target(options={"ssl": "required"}), "test")
        phases = dict(session.phases)
        session.close()
    assert sorted(phases) == ["connect", "first_answer", "login", "resolve", "tls"]
    assert all(seconds >= 0 for seconds in phases.values())
    assert phases["tls"] > 0
