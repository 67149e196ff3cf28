"""The official PostgreSQL image through testcontainers, for runs that ask for it.

With ``SIGAP_TEST_DOCKER=1`` an engine that does not answer is a failure, not a skip.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from probes import Address, Secret


def docker_wanted() -> bool:
    """Whether this run asked for containers; an engine that does not answer is then a failure."""
    return os.environ.get("SIGAP_TEST_DOCKER") == "1"


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
