"""The printed script is enough on both sides of a pair, and each line a probe declares is needed.

Parametrised over every probe the registry finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import FailureKind, Probe, Reading, Target
from probes.registry import engine, probes_for
from probes.runner import Owner
from tests.servers import postgresql
from tests.servers.postgresql import MONITOR, MONITOR_PASSWORD, PostgresPair, until
from tests.support.agent import sigap
from tests.support.builders import NOON

pytestmark = pytest.mark.servers

OURS = [probe for probe in probes_for("postgresql") if probe.engine == "postgresql"]
NEEDED = [(probe, grant.sql) for probe in OURS for grant in probe.grants]

IN_USE = {"archive_mode": "on", "archive_command": "true", "wal_level": "logical"}
SUBSCRIPTION = (
    "create subscription langganan connection 'host=127.0.0.1' publication terbitan "
    "with (connect = false)"
)
"""Archiving and a subscription: where neither is used, their probes have nothing to be blind to."""


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPair]:
    """A pair whose monitoring account was made by the printed script and nothing else."""
    folder: Path = tmp_path_factory.mktemp("grants")
    with postgresql.pair(IN_USE) as both:
        run(both, f"drop role {MONITOR}")
        both.primary.sql(sigap("grants", "postgresql", "--user", MONITOR, folder=folder).stdout)
        run(both, f"alter role {MONITOR} password '{MONITOR_PASSWORD}'")
        run(both, SUBSCRIPTION)
        yield both


def run(both: PostgresPair, line: str) -> None:
    """On the primary; the replica has it when this returns."""
    both.primary.sql(line)
    ((written,),) = both.primary.sql("select pg_current_wal_insert_lsn()::text")
    replayed = f"select pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
    until(lambda: both.replica.sql(replayed)[0][0], "the replica has what the primary was told")


def targets(both: PostgresPair) -> list[Target]:
    return [
        both.primary.target(role="primary"),
        both.replica.target(role="replica"),
    ]


def readings(target: Target, probes: list[Probe], times: int = 1) -> list[Reading]:
    """What a real owner reads, with the sessions it would keep."""
    owner = Owner(target, engine("postgresql"))
    try:
        return [each for _ in range(times) for each in owner.round(probes, lambda: NOON)]
    finally:
        owner.drop()


def test_the_printed_script_is_enough_for_every_probe_on_both_sides(granted: PostgresPair) -> None:
    for target in targets(granted):
        taken = readings(target, OURS, times=2)  # rates exist from the second reading on
        failed = {(each.target, each.probe): each.failure for each in taken if each.failure}
        assert failed == {}


@pytest.mark.parametrize(("probe", "line"), NEEDED, ids=[probe.name for probe, _ in NEEDED])
def test_a_missing_right_is_blind_and_the_line_it_says_mends_it(
    granted: PostgresPair, probe: Probe, line: str
) -> None:
    said = line.format(user=MONITOR) + ";"
    run(granted, said.replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
    try:
        lacking = [each for at in targets(granted) for each in readings(at, [probe])]
    finally:
        run(granted, said)
    failures = [each.failure for each in lacking if each.failure is not None]
    assert failures, "no side misses the right: it need not be declared"
    for failure in failures:
        assert failure.kind is FailureKind.BLIND
        assert said in failure.hint.id
        assert said in failure.hint.en
    mended = [each for at in targets(granted) for each in readings(at, [probe])]
    assert [each.failure for each in mended] == [None, None]
