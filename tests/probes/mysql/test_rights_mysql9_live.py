"""On real MySQL 9: the printed script is enough, each line is needed, no lock delays a probe.

Opt-in (``make test-matrix``): the server is unpacked from a suite that changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probes import FailureKind, Probe, registry
from probes.runner import Owner
from tests.probes.mysql.asking import BUDGET, NOW
from tests.probes.mysql.test_rights_live import (
    LONGEST_SECONDS,
    OURS,
    Granted,
    failures,
    is_blind_without_and_mended_by,
    needed,
)
from tests.servers import mysql
from tests.servers.mariadb import Holder
from tests.servers.mysql import MySQLPair

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.matrix]

ELSEWHERE = {
    ("semi_sync", "REPLICATION CLIENT"): "asked for where semi-synchronous replication is used",
    ("semi_sync", "SELECT ON performance_schema"): "as above",
    ("group_replication", "SELECT ON performance_schema"): "asked for on members of a group",
    ("connections", "PROCESS"): "asked for where the performance schema is off",
    ("blocked_sessions", "SELECT ON sys"): "no question's: reports a person may want to read",
}
"""Declared rights that this pair of servers does not need, and where they are needed."""


def _is_elsewhere(probe: Probe, line: str) -> bool:
    return any(probe.name == name and f"GRANT {right}" in line for name, right in ELSEWHERE)


NEEDED = [each for each in needed("mysql") if not _is_elsewhere(*each)]

HELD = {
    "a table": ("LOCK TABLES app.terkunci WRITE",),
    "every table": ("FLUSH TABLES WITH READ LOCK",),
    "every DDL": ("LOCK INSTANCE FOR BACKUP",),  # as xtrabackup does
}


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    """A pair on which nothing but the printed script was run."""
    with mysql.servers(2) as (primary, replica):
        both = MySQLPair(primary, replica)
        both.replicate()
        primary.sql(
            "CREATE DATABASE app",
            "CREATE TABLE app.terkunci (id INT AUTO_INCREMENT PRIMARY KEY)",
            "INSERT INTO app.terkunci VALUES (500)",
        )
        yield Granted(both, tmp_path_factory.mktemp("grants"), "mysql")


def test_what_is_missed_elsewhere_is_declared() -> None:
    left_out = [each for each in needed("mysql") if _is_elsewhere(*each)]
    assert len(left_out) == len(ELSEWHERE)


def test_the_printed_script_is_enough_for_every_probe_on_both_sides(granted: Granted) -> None:
    assert failures(granted) == {}


@pytest.mark.parametrize(
    ("probe", "line"), NEEDED, ids=[f"{p.name}-{line.split(' TO ')[0]}" for p, line in NEEDED]
)
def test_a_missing_right_is_blind_and_the_line_it_says_mends_it(
    granted: Granted, probe: Probe, line: str
) -> None:
    is_blind_without_and_mended_by(granted, probe, line)


@pytest.mark.parametrize("what", HELD)
def test_no_question_of_any_probe_waits_two_seconds_for_what_is_held(
    granted: Granted, what: str
) -> None:
    holder = Holder(granted.both.primary, *HELD[what])
    target = next(each for each in granted.targets() if each.role == "primary")
    owner = Owner(target, registry.engine("mysql"), BUDGET)
    try:
        for probe in OURS:
            owner.cost.longest_seconds = 0.0
            (taken,) = owner.round([probe], lambda: NOW)
            kind = taken.failure and taken.failure.kind
            assert kind in {None, FailureKind.BLIND}, (probe.name, taken.failure)
            owner.gather(probe, NOW)
            assert owner.cost.longest_seconds <= LONGEST_SECONDS, probe.name
    finally:
        owner.drop()
        holder.let_go()
