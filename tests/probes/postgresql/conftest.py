"""One pair of servers and one single server for each module that needs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import postgresql


@pytest.fixture(scope="module")
def pair() -> Iterator[postgresql.PostgresPair]:
    """A primary with a streaming replica."""
    with postgresql.pair() as both:
        yield both


@pytest.fixture(scope="module")
def single() -> Iterator[postgresql.Server]:
    """A server on its own."""
    with postgresql.single() as server:
        yield server
