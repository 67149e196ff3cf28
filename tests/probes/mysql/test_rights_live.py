"""The printed script is enough for every probe, each line of it is needed, no lock delays a probe.

Parametrised over every probe the registry finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from probes import Failure, FailureKind, Probe, Reading, Secret, Target, registry
from probes.runner import Owner
from tests.probes.mysql.asking import BUDGET, NOW
from tests.servers import mariadb
from tests.servers.mariadb import Holder, MariaDB, MariaDBPair, Waiter, eventually
from tests.support.agent import sigap
from tests.support.evidence import english

pytestmark = pytest.mark.servers

ACCOUNT = "'sigap'@'127.0.0.1'"
LONGEST_SECONDS = 2.0
OURS = [each for each in registry.probes_for("mysql") if each.engine == "mysql"]


def needed(flavour: str) -> list[tuple[Probe, str]]:
    """Each line of the flavour's printed script with each probe that declares it."""
    declared = [
        (probe, grant.sql) for probe in OURS for grant in probe.grants if grant.flavour == flavour
    ]
    lines = list(dict.fromkeys(line for _, line in declared))
    return sorted(dict.fromkeys(declared), key=lambda each: lines.index(each[1]))


NEEDED = needed("mariadb")


class Granted:
    """A pair on which nothing but the printed script was run, and its account's password."""

    def __init__(self, both: MariaDBPair, folder: Path, flavour: str = "mariadb") -> None:
        self.both = both
        script = sigap("grants", flavour, "--user", "sigap@127.0.0.1", folder=folder).stdout
        lines = [line.rstrip(";") for line in script.splitlines() if line and line[:2] != "--"]
        both.primary.sql(*lines)
        (self._password,) = re.findall(r"IDENTIFIED BY '([^']+)'", script)
        self.settle()

    def settle(self) -> None:
        eventually(self.both.caught_up, "the replica has what the primary was told")

    def targets(self) -> list[Target]:
        sides = {"primary": self.both.primary, "replica": self.both.replica}
        made = [server.target(name=role, role=role) for role, server in sides.items()]
        secret = Secret(self._password)
        return [replace(each, address=replace(each.address, password=secret)) for each in made]

    def run(self, line: str) -> None:
        self.both.primary.sql(line)
        self.settle()

    @contextmanager
    def without(self, line: str) -> Iterator[None]:
        """The account lacks that one right, whatever becomes of the test."""
        granted = line.format(user=ACCOUNT)
        self.run(granted.replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
        try:
            yield
        finally:
            self.run(granted)


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    with mariadb.servers(2) as (primary, replica):
        both = MariaDBPair(primary, replica)
        both.replicate()
        # Without an old version to keep and a semi-synchronous side at rest, two probes have
        # nothing to ask for that a right would be needed for.
        replica.sql("SET GLOBAL rpl_semi_sync_slave_enabled = 1")
        primary.sql(
            "CREATE DATABASE lama", "CREATE TABLE lama.t (n int)", "INSERT lama.t VALUES (1)"
        )
        with primary.admin() as reader, reader.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            cursor.execute("SELECT n FROM lama.t")
            primary.sql("UPDATE lama.t SET n = 2")
            yield Granted(both, tmp_path_factory.mktemp("grants"))


def readings(target: Target, probes: list[Probe], times: int = 1) -> list[Reading]:
    """What a real owner reads, with the sessions it would keep."""
    owner = Owner(target, registry.engine("mysql"), BUDGET)
    try:
        return [each for _ in range(times) for each in owner.round(probes, lambda: NOW)]
    finally:
        owner.drop()


@dataclass(frozen=True)
class Seen:
    """One probe's result on one side: why it failed, or its measures and notes."""

    failure: Failure | None
    measures: frozenset[str]
    notes: str


def seen(target: Target, probe: Probe) -> Seen:
    owner = Owner(target, registry.engine("mysql"), BUDGET)
    try:
        (taken,) = owner.round([probe], lambda: NOW)
        shown = owner.gather(probe, NOW)
    finally:
        owner.drop()
    notes = [english(exhibit.note) for exhibit in shown.exhibits] if shown is not None else []
    told = frozenset(each.measure for each in taken.measurements)
    return Seen(taken.failure, told, "\n".join(notes))


def test_the_printed_script_is_enough_for_every_probe_on_both_sides(granted: Granted) -> None:
    assert failures(granted) == {}


def failures(granted: Granted) -> dict[tuple[str, str], Failure]:
    """What a probe of ours cannot see on either side, by target and probe."""
    return {
        (each.target, each.probe): each.failure
        for target in granted.targets()
        for each in readings(target, OURS, times=2)  # rates exist from the second reading on
        if each.failure
    }


@pytest.mark.parametrize(
    ("probe", "line"), NEEDED, ids=[f"{p.name}-{line.split(' ON ')[0]}" for p, line in NEEDED]
)
def test_a_missing_right_is_blind_and_the_line_it_says_mends_it(
    granted: Granted, probe: Probe, line: str
) -> None:
    is_blind_without_and_mended_by(granted, probe, line)


def is_blind_without_and_mended_by(granted: Granted, probe: Probe, line: str) -> None:
    """Without the line the probe is blind and reports it; with it, it works."""
    said = line.format(user=ACCOUNT) + ";"
    with granted.without(line):
        lacking = [seen(target, probe) for target in granted.targets()]
        for each in lacking:
            if each.failure is not None:
                assert each.failure.kind is FailureKind.BLIND
                assert said in each.failure.hint.id
                assert said in each.failure.hint.en
        granted.run(said)
        mended = [seen(target, probe) for target in granted.targets()]
    assert [each.failure for each in mended] == [None, None]
    assert not any(said in each.notes for each in mended)
    if probe.judged_on_failure:  # it goes on: who cannot be asked for the role is not down for it
        assert any(
            before.measures < after.measures for before, after in zip(lacking, mended, strict=True)
        )
    else:
        assert any(each.failure or said in each.notes for each in lacking), "not needed at all"


HELD = {
    "a table": ("LOCK TABLES app.terkunci WRITE",),
    "every table": ("FLUSH TABLES WITH READ LOCK",),
    "every commit": ("BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"),  # as mariadb-backup does
}


@pytest.fixture(params=[*HELD, "a waiting ALTER"])
def held(granted: Granted, request: pytest.FixtureRequest) -> Iterator[MariaDB]:
    """A server where sessions hold locks that others want."""
    server = granted.both.primary
    server.sql(
        "CREATE DATABASE IF NOT EXISTS app",
        "CREATE OR REPLACE TABLE app.terkunci (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB",
        "INSERT INTO app.terkunci VALUES (500)",
    )
    granted.settle()
    waiter: Waiter | None = None
    if request.param in HELD:
        holder = Holder(server, *HELD[request.param])
    else:
        holder = Holder(server, "SELECT * FROM app.terkunci")
        waiter = Waiter(server, "ALTER TABLE app.terkunci ADD COLUMN v INT")
        server.metadata_waits(1)
    try:
        yield server
    finally:
        if waiter is not None:
            waiter.gone()
        holder.let_go()


def test_no_question_of_any_probe_waits_for_a_held_table(granted: Granted, held: MariaDB) -> None:
    target = next(each for each in granted.targets() if each.role == "primary")
    owner = Owner(target, registry.engine("mysql"), BUDGET)
    slow: dict[str, float] = {}
    try:
        for probe in OURS:
            owner.cost.longest_seconds = 0.0
            (taken,) = owner.round([probe], lambda: NOW)
            kind = taken.failure and taken.failure.kind
            assert kind in {None, FailureKind.BLIND}, (probe.name, taken.failure)
            owner.gather(probe, NOW)
            if owner.cost.longest_seconds > LONGEST_SECONDS:
                slow[probe.name] = owner.cost.longest_seconds
    finally:
        owner.drop()
    assert slow == {}
