"""One replicating pair for all live tests of this engine, with the granted monitoring account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import registry
from tests.servers import mariadb


def declared_grants(flavour: str = "mariadb") -> list[str]:
    """The lines an administrator would be given, each once, in order."""
    declared = [*registry.engine("mysql").base_grants]
    for probe in registry.probes_for("mysql"):
        declared += probe.grants
    return list(dict.fromkeys(each.sql for each in declared if each.flavour == flavour))


@pytest.fixture(scope="session")
def pair() -> Iterator[mariadb.MariaDBPair]:
    with mariadb.pair(declared_grants()) as both:
        yield both


@pytest.fixture
def primary(pair: mariadb.MariaDBPair) -> mariadb.MariaDB:
    return pair.primary


@pytest.fixture
def replica(pair: mariadb.MariaDBPair) -> mariadb.MariaDB:
    return pair.replica
