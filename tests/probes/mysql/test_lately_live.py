"""Recent changes on the server are stored with the evidence of every probe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import registry
from probes.runner import Owner
from tests.probes.mysql.asking import BUDGET, NOW, probe
from tests.probes.mysql.conftest import declared_grants
from tests.servers import mysql
from tests.servers.mariadb import MariaDB, MariaDBPair
from tests.support.evidence import Told, all_told

pytestmark = pytest.mark.servers

TITLE = "Variables changed by SET GLOBAL since the server started"


@pytest.fixture(scope="module", params=["mariadb", pytest.param("mysql", marks=pytest.mark.matrix)])
def server(request: pytest.FixtureRequest) -> Iterator[MariaDB]:
    if request.param == "mariadb":
        both: MariaDBPair = request.getfixturevalue("pair")
        yield both.primary
        return
    with mysql.pair(declared_grants("mysql")) as theirs:
        yield theirs.primary


def _shown(server: MariaDB) -> dict[str, Told]:
    asked = probe("buffer_pool")
    owner = Owner(server.target(), registry.engine("mysql"), BUDGET)
    try:
        list(owner.round([asked], lambda: NOW))
        taken = owner.gather(asked, NOW)
    finally:
        owner.drop()
    assert taken is not None
    return {each.title.en: each for each in all_told(taken.exhibits)}


def test_a_variable_set_by_hand_is_in_the_evidence(server: MariaDB) -> None:
    server.sql("SET GLOBAL long_query_time = 7", "SET GLOBAL init_connect = 'SET @rahasia = 1'")
    try:
        found = _shown(server)[TITLE]
    finally:
        server.sql("SET GLOBAL long_query_time = 10", "SET GLOBAL init_connect = ''")
    changed = {row[0]: row for row in found.rows}
    assert changed["long_query_time"][1].startswith("7")
    assert "rahasia" not in str(found)
    if server.title == "MySQL":
        assert changed["long_query_time"][3].startswith("root@")
    assert "the server has run for" in found.note
