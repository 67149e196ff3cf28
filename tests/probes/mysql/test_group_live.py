"""Roles in real groups of MySQL 9: one primary and its secondaries, and many primaries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import Severity, registry
from tests.probes.mysql.asking import findings, measured
from tests.probes.mysql.conftest import declared_grants
from tests.servers import mysql_group
from tests.servers.mariadb import MONITOR
from tests.servers.mysql_group import Member

pytestmark = [pytest.mark.servers, pytest.mark.matrix]


@pytest.fixture(scope="module")
def single() -> Iterator[list[Member]]:
    """A primary and two secondaries, monitored by the account of ``sigap grants``."""
    with mysql_group.members(3) as made:
        made[0].grant_monitor(declared_grants("mysql"))
        for line in registry.engine("mysql").options["canary"]:
            if line.flavour == "mysql":
                made[0].sql(line.sql.format(user=f"'{MONITOR}'@'%'"))
        mysql_group.caught_up(made)
        yield made


def test_a_secondary_is_a_replica_and_read_only_is_right_there(single: list[Member]) -> None:
    primary, secondary, _ = single
    found = measured("availability", secondary.target(role="replica"))
    assert found["read_only"].value == 1
    assert found["is_replica"].value == 1
    assert found["role_as_expected"].value == 1
    assert measured("availability", primary.target(role="primary"))["is_replica"].value == 0


def test_a_secondary_where_a_primary_should_be_is_critical(single: list[Member]) -> None:
    verdict = findings("availability", single[1].target(role="primary"), times=2)
    assert verdict["role_as_expected"].severity is Severity.CRITICAL
    assert "should be a primary, but is a replica" in verdict["role_as_expected"].title.en


def test_a_secondary_needs_no_channel(single: list[Member]) -> None:
    assert "replication_configured" not in measured(
        "replication_lag", single[1].target(role="replica")
    )


@pytest.mark.parametrize("role", ["", "replica", "primary"])
def test_the_canary_is_not_tried_on_a_secondary_whose_row_tells_how_old_its_news_is(
    single: list[Member], role: str
) -> None:
    primary, secondary, _ = single
    assert measured("write_canary", primary.target())["canary_ok"].value == 1
    mysql_group.caught_up(single)
    found = measured("write_canary", secondary.target(role=role))
    assert "canary_ok" not in found
    assert found["heartbeat_age_seconds"].value < 60
    assert found["heartbeat_age_seconds"].detail["source"] == primary.address


def test_of_many_primaries_each_is_one() -> None:
    with mysql_group.members(2, single=False) as made:
        made[0].grant_monitor(declared_grants("mysql"))
        mysql_group.caught_up(made)
        for member in made:
            found = measured("availability", member.target(role="primary"))
            assert (found["is_replica"].value, found["role_as_expected"].value) == (0, 1)
            member.sql("STOP GROUP_REPLICATION")
            assert "is_replica" not in measured("availability", member.target(role="primary"))
