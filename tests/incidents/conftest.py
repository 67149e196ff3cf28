"""Stores to test on: a SQLite file, and a database of its own on a real PostgreSQL.

Every promise of the store, the ledger, the desk and the people is tested on both.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.store import Store, open_store
from tests.servers.postgresql import Server, single

BOTH = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.servers),
]


@pytest.fixture(scope="session")
def store_server() -> Iterator[Server]:
    """One PostgreSQL for all stores of this run; its databases are apart."""
    with single() as server:
        yield server


def new_database(server: Server) -> str:
    """The address of a fresh database."""
    name = f"desk_{uuid.uuid4().hex[:12]}"
    server.sql(f"create database {name}")
    return f"postgresql://postgres@/{name}?host={server.folder}&port={server.port}"


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sigap.db'}"
    return new_database(request.getfixturevalue("store_server"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store, of each kind in turn."""
    opened = open_store(store_url)
    yield opened
    opened.close()
