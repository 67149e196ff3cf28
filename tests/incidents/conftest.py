"""Stores to test on: a SQLite file, and a separate database on a real PostgreSQL.

The store, the ledger, the desk and the people are tested on both.
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


def new_database(server: Server, template: str = "template1") -> str:
    """The address of a fresh database."""
    name = f"desk_{uuid.uuid4().hex[:12]}"
    server.sql(f"create database {name} template {template}")
    return address(server, name)


def address(server: Server, database: str) -> str:
    """A database of the test's server as the configuration would name it."""
    return f"postgresql://postgres@/{database}?host={server.folder}&port={server.port}"


@pytest.fixture(scope="session")
def migrated(store_server: Server) -> str:
    """A database at the newest schema, to be copied, because each migration takes time."""
    store_server.sql("create database desk_template")
    open_store(address(store_server, "desk_template")).close()
    return "desk_template"


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sigap.db'}"
    return new_database(request.getfixturevalue("store_server"))


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open store without incidents, of each kind in turn."""
    if request.param == "sqlite":
        opened = open_store(f"sqlite:///{tmp_path / 'sigap.db'}")
    else:
        server = request.getfixturevalue("store_server")
        opened = open_store(new_database(server, request.getfixturevalue("migrated")))
    yield opened
    opened.close()
