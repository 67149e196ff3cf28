"""Sentences about a certificate that ends soon or has ended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from probes import Address, Finding, Reading, Target
from probes.judge import Judge
from probes.postgresql.connection.tls_certificate import PROBE
from probes.templates import tls_certificate

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY = 86400.0


def _found(days: float) -> Finding:
    """What is reported of a certificate that ends in so many days."""
    target = Target("db01", "postgresql", Address("db01", 5432, "sigap"))
    left = tls_certificate.left(NOW.timestamp() + days * DAY, NOW.timestamp(), "CN=simpeg")
    reading = Reading(target.name, PROBE.name, NOW, 0.01, (left,))
    found = Judge().assess(target, PROBE, reading).findings
    return next(each for each in found if each.measure == left.measure)


@pytest.mark.parametrize(
    ("days", "english", "indonesian"),
    [
        (2, "is valid only until 2026-11-25", "hanya berlaku sampai 2026-11-25"),
        (-2, "expired on 2026-11-21", "sudah kedaluwarsa sejak 2026-11-21"),
    ],
)
def test_the_headline_of_an_expired_certificate_does_not_call_it_valid(
    days: float, english: str, indonesian: str
) -> None:
    headline = _found(days).headline
    assert english in headline.en
    assert "CN=simpeg" in headline.en
    assert indonesian in headline.id
