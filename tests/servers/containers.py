"""The official PostgreSQL image through testcontainers; opt-in.

Tests that use it carry the marker ``container``: they are left out unless ``SIGAP_TEST_DOCKER=1``,
and an engine that does not answer is then a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from probes import Address, Secret


@contextmanager
def container(image: str = "postgres:17") -> Iterator[Address]:
    """The official image through testcontainers; yields its superuser's address."""
    from testcontainers.postgres import PostgresContainer  # heavy, and only for this path

    with PostgresContainer(image, driver=None) as running:
        yield Address(
            host=running.get_container_host_ip(),
            port=int(running.get_exposed_port(5432)),
            user=running.username,
            database=running.dbname,
            password=Secret(running.password),
        )
