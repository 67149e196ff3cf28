"""Which databases the autovacuum probe logs in to, and which it skips."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from probes import Reading, registry
from probes.postgresql.capacity.autovacuum import LOOKS_PASSED_OVER, PROBE
from probes.runner import Owner
from tests.servers.postgresql import Server, until

pytestmark = pytest.mark.servers


class Watch:
    """The probe asked again and again, as the agent does."""

    def __init__(self, server: Server) -> None:
        self.owner = Owner(server.target(), registry.engine("postgresql"), 10.0)

    def look(self) -> tuple[int, float]:
        """Logins that one reading took, and the tables it found."""
        before = self.owner.cost.logins
        (reading,) = self.owner.round([PROBE], lambda: datetime.now(UTC))
        return self.owner.cost.logins - before, _overdue(reading)


def _overdue(reading: Reading) -> float:
    assert reading.failure is None, reading.failure
    return next(
        each.value for each in reading.measurements if each.measure == "tables_overdue_for_vacuum"
    )


@pytest.fixture
def watch(single: Server) -> Iterator[Watch]:
    single.sql("alter system set autovacuum = off")
    single.sql("select pg_reload_conf()")
    made = Watch(single)
    made.look()
    yield made
    made.owner.drop()
    single.sql("drop table if exists sepi, ramai")
    single.sql("alter system reset autovacuum")
    single.sql("select pg_reload_conf()")


def test_a_database_in_which_too_little_has_changed_is_not_logged_in_to(watch: Watch) -> None:
    logins = [watch.look()[0] for _ in range(LOOKS_PASSED_OVER + 2)]
    assert logins == [0] * LOOKS_PASSED_OVER + [1, 0]


def test_a_table_that_came_to_matter_is_told_at_the_next_reading(
    watch: Watch, single: Server
) -> None:
    assert watch.look() == (0, 0)
    single.sql("create table ramai as select n from generate_series(1, 1000) n")
    single.sql("analyze ramai")
    single.sql("insert into ramai select n from generate_series(1, 149000) n")
    single.sql("delete from ramai")
    until(
        lambda: single.sql(
            "select 1 from pg_stat_user_tables where relname = 'ramai' and n_dead_tup >= 150000"
        ),
        "dead rows being counted",
    )
    assert watch.look() == (1, 1)
    assert watch.look() == (1, 1), "where one matters, every reading looks"


def test_a_database_whose_statistics_were_reset_is_looked_into(
    watch: Watch, single: Server
) -> None:
    single.sql("create table sepi as select n from generate_series(1, 1000) n")
    until(
        lambda: single.sql("select 1 from pg_stat_user_tables where n_tup_ins >= 1000"),
        "the rows being counted",
    )
    later = Watch(single)
    try:
        later.look()
        single.sql("select pg_stat_reset()")
        assert later.look()[0] == 1
    finally:
        later.owner.drop()
