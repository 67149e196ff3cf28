"""Counters once a round and settings by name, on a real server that changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from probes import Measurement, Probe, Session
from probes.mysql.ask import status, variables
from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.probes.mysql.asking import BUDGET, NOW
from tests.servers.mariadb import MariaDB
from tests.support.words import both

pytestmark = pytest.mark.servers

Asking = Callable[[Session], object]


class Rounds:
    """An owner's rounds of questions that a test writes down."""

    def __init__(self, server: MariaDB) -> None:
        self.owner = Owner(server.target(), engine("mysql"), BUDGET)

    def take(self, *questions: Asking) -> list[object]:
        """Each query is a probe of one round; returns their answers."""
        told: list[object] = []

        def asked(question: Asking) -> Probe:
            def read(session: Session) -> Iterable[Measurement]:
                told.append(question(session))
                return ()

            return Probe("asked", "mysql", both("?", "?"), (), (), read)

        for reading in self.owner.round([asked(each) for each in questions], lambda: NOW):
            assert reading.failure is None, reading.failure
        return told

    def statements(self, *questions: Asking) -> int:
        before = self.owner.cost.statements
        self.take(*questions)
        return self.owner.cost.statements - before


@pytest.fixture
def rounds(primary: MariaDB) -> Iterator[Rounds]:
    taken = Rounds(primary)
    yield taken
    taken.owner.drop()


def counters(session: Session) -> object:
    return status(session, "Uptime", "Threads_connected")


def pages(session: Session) -> object:
    return status(session, "Innodb_buffer_pool_reads", "no_such_counter")


def limit(session: Session) -> object:
    return variables(session, "max_connections", "no_such_setting")


def switches(session: Session) -> object:
    return variables(session, "Read_Only", "innodb_read_only", "init_connect", "sync_binlog")


def test_a_round_asks_its_counters_once_and_its_settings_once(rounds: Rounds) -> None:
    rounds.take(counters, pages, limit, switches)
    assert rounds.statements(counters, pages, limit, switches) == 2


def test_each_gets_what_it_asked_for_and_no_more(rounds: Rounds) -> None:
    for _ in range(2):
        first, second, third, _ = rounds.take(counters, pages, limit, switches)
        assert isinstance(first, dict)
        assert isinstance(second, dict)
        assert isinstance(third, dict)
        assert first.keys() == {"uptime", "threads_connected"}
        assert second.keys() == {"innodb_buffer_pool_reads"}
        assert third.keys() == {"max_connections"}


def test_the_next_round_sees_what_has_changed(primary: MariaDB, rounds: Rounds) -> None:
    before = rounds.take(switches, limit)
    assert isinstance(before[1], dict)
    usual = before[1]["max_connections"]
    primary.sql("SET GLOBAL read_only = ON", "SET GLOBAL max_connections = 77")
    try:
        after = rounds.take(switches, limit)
    finally:
        primary.sql("SET GLOBAL read_only = OFF", f"SET GLOBAL max_connections = {usual}")
    assert before[0] != after[0]
    assert isinstance(after[0], dict)
    assert after[0]["read_only"] == "ON"
    assert after[1] == {"max_connections": "77"}


def test_settings_are_spelled_the_same_by_either_way_of_asking(rounds: Rounds) -> None:
    """All but those with a fraction, of which SHOW writes six digits."""

    def listed(session: Session) -> object:
        return {str(each["Variable_name"]) for each in session.rows("SHOW GLOBAL VARIABLES")}

    (names,) = rounds.take(listed)
    assert isinstance(names, set)
    (shown,), (selected,) = (rounds.take(lambda s: variables(s, *names)) for _ in range(2))
    assert isinstance(shown, dict)
    assert isinstance(selected, dict)
    other = {
        name: (value, selected[name])
        for name, value in shown.items()
        if value != selected[name] and not value.endswith("0000")
    }
    assert other == {}


def test_a_setting_that_comes_with_a_plugin_is_seen_in_the_next_round(
    primary: MariaDB, rounds: Rounds
) -> None:
    def asked(session: Session) -> object:
        return "server_audit_logging" in variables(
            session, "server_audit_logging", "max_connections"
        )

    assert [rounds.take(asked), rounds.take(asked)] == [[False], [False]]
    primary.sql("INSTALL SONAME 'server_audit'")
    try:
        assert [rounds.take(asked), rounds.take(asked)] == [[True], [True]]
    finally:
        primary.sql("UNINSTALL SONAME 'server_audit'")
    assert [rounds.take(asked), rounds.take(asked)] == [[False], [False]]


def test_a_scheduled_round_asks_the_server_little(primary: MariaDB) -> None:
    """What each interval asks; without sharing it was ten questions more."""
    owner = Owner(primary.target(), engine("mysql"), BUDGET)
    mine = [probe for probe in probes_for("mysql") if probe.engine == "mysql"]
    often = [probe for probe in mine if probe.every is None]
    try:
        for _ in range(2):
            before = owner.cost.statements
            failed = {each.probe: each.failure for each in owner.round(often, lambda: NOW)}
            assert set(failed.values()) == {None}, failed
        asked = owner.cost.statements - before
    finally:
        owner.drop()
    assert asked <= 20
