"""The whole path on real servers: a fault, one incident with the right cause, and healing.

Each test breaks PostgreSQL and, where the fault exists there, MariaDB at the same time: two
independent faults must become two incidents, and each of them exactly one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.config import load
from agent.daemon import Daemon
from agent.demo import settings
from agent.demo.home import Home
from agent.demo.scene import ground as names
from agent.demo.scene.faults import Faults
from agent.demo.scene.world import World
from agent.demo.servers.process import wait_until
from incidents.desk import Desk
from incidents.model import EventKind, Incident
from probes import Severity, registry
from tests.agent.demo.places import demo_folder
from tests.support.used import note

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PATIENCE = 90.0
ROUNDS_AFTERWARDS = 5  # long enough for receivers to notice that their primary is gone


@pytest.fixture(scope="module")
def faults() -> Iterator[Faults]:
    with demo_folder() as folder:
        home = Home(folder)
        home.make()
        home.lock()
        world = World(home, with_mariadb=True)
        try:
            world.start()
            assert set(world.servers) == set(names.NAMES), (
                "MariaDB is missing: apt-get install --no-install-recommends mariadb-server"
            )
            note(
                "PostgreSQL",
                world.simpeg.servers[names.PG_PRIMARY].ask("show server_version")[0][0],
            )
            yield Faults(world)
        finally:
            world.stop()
            home.unlock()


@pytest.fixture
def daemon(faults: Faults) -> Iterator[Daemon]:
    """The demo's agent and desk with an empty store, having looked at every server once."""
    home = faults.world.home
    for old in home.path.glob("sigap.db*"):
        old.unlink()
    settings.write(faults.world, "127.0.0.1:0")
    daemon = Daemon(load(Path(home.config)), demo=True)
    daemon.start()
    try:
        assert wait_until(lambda: daemon.unready() == [], PATIENCE), daemon.unready()
        assert desk(daemon).queries.open_incidents() == ()
        yield daemon
    finally:
        for name, where in faults.status().items():
            for target in where:
                faults.heal(name, target)
        daemon.stop()


def desk(daemon: Daemon) -> Desk:
    assert daemon.office is not None
    return daemon.office.desk


@dataclass(frozen=True)
class Cause:
    """What the incident of a fault must say."""

    target: str
    family: str
    words: str  # in the English title


CASES = {
    "replication": {
        names.PG_REPLICA: Cause(names.PG_REPLICA, "replication", "receives no WAL"),
        names.MY_REPLICA: Cause(names.MY_REPLICA, "replication", "1062"),
    },
    "lock": {
        names.PG_PRIMARY: Cause(names.PG_PRIMARY, "locks", "impor_gaji"),
        names.MY_PRIMARY: Cause(names.MY_PRIMARY, "locks", "impor_gaji"),
    },
    "freeze": {
        names.PG_PRIMARY: Cause(names.PG_PRIMARY, "availability", "does not answer"),
        names.MY_PRIMARY: Cause(names.MY_PRIMARY, "availability", "does not answer"),
    },
    "volume": {names.PG_PRIMARY: Cause(names.PG_PRIMARY, "volume", "running out of room")},
    "stop": {
        names.PG_PRIMARY: Cause(names.PG_PRIMARY, "availability", ""),
        names.MY_PRIMARY: Cause(names.MY_PRIMARY, "availability", ""),
    },
}


def rounds(daemon: Daemon) -> dict[str, datetime]:
    """When each server was last looked at."""
    assert daemon.office is not None
    return {
        target.name: max(probe.read_at for probe in target.probes if probe.read_at is not None)
        for target in daemon.office.app.state.site.targets()
    }


def further_rounds(daemon: Daemon, number: int) -> None:
    """Wait until every server was looked at ``number`` more times."""

    def all_after(before: dict[str, datetime]) -> bool:
        return all(at > before[name] for name, at in rounds(daemon).items())

    for _ in range(number):
        assert wait_until(partial(all_after, rounds(daemon)), PATIENCE)


def incident_of(daemon: Daemon, target: str) -> Incident | None:
    found = [each for each in desk(daemon).queries.open_incidents() if each.target == target]
    return found[0] if found else None


def declares_evidence(daemon: Daemon, incident: Incident) -> bool:
    """Whether the probe that found the root has anything to freeze."""
    root = next(trouble for trouble in incident.troubles if trouble.root)
    _, name, _ = root.fingerprint.split("/", 2)
    engine = next(t.engine for t in daemon.config.targets if t.name == root.target)
    return any(
        p.exhibits is not None or p.exhibits_when_down is not None
        for p in registry.probes_for(engine)
        if p.name == name
    )


THIS_MACHINE = ("clock", "load", "memory", "oom_kills", "volumes", "volume_forecast")
"""What these ask is how the machine of the tests is, which may be anything."""


def test_a_fresh_demo_has_nothing_to_say_of_its_servers(daemon: Daemon) -> None:
    assert daemon.office is not None
    further_rounds(daemon, ROUNDS_AFTERWARDS)
    said = [
        (target.name, probe.name, finding.title.en)
        for target in daemon.office.app.state.site.targets()
        for probe in target.probes
        for finding in probe.findings
        if probe.name not in THIS_MACHINE
    ]
    assert said == []


@pytest.mark.parametrize("name", CASES)
def test_each_fault_opens_one_incident_with_its_cause_and_healing_clears_without_closing(
    faults: Faults, daemon: Daemon, name: str
) -> None:
    cases = CASES[name]
    if name == "volume" and not faults.world.simpeg.has_volume:
        pytest.fail("no small volume here: run the tests as root or allow user namespaces")
    broken_at: dict[str, datetime] = {}
    for target in cases:
        faults.break_it(name, target)
        broken_at[target] = datetime.now(UTC)

    assert wait_until(
        lambda: all(incident_of(daemon, cause.target) for cause in cases.values()), PATIENCE
    ), desk(daemon).queries.open_incidents()
    two_rounds = timedelta(seconds=2 * (daemon.config.interval + daemon.config.deadline) + 1)
    for target, cause in cases.items():
        incident = incident_of(daemon, cause.target)
        assert incident is not None
        assert incident.opened_at - broken_at[target] <= two_rounds

    further_rounds(daemon, ROUNDS_AFTERWARDS)
    assert len(desk(daemon).queries.open_incidents()) == len(cases), desk(
        daemon
    ).queries.open_incidents()
    for cause in cases.values():
        incident = incident_of(daemon, cause.target)
        assert incident is not None
        assert (incident.family, incident.severity) == (cause.family, Severity.CRITICAL)
        assert cause.words in incident.title.en
        assert [trouble.target for trouble in incident.troubles if trouble.root] == [cause.target]
        if declares_evidence(daemon, incident):
            assert any(trouble.evidence for trouble in incident.troubles)

    faults.heal(name)
    assert wait_until(
        lambda: not any(incident.red for incident in desk(daemon).queries.open_incidents()),
        PATIENCE,
    ), [trouble for each in desk(daemon).queries.open_incidents() for trouble in each.troubles]
    assert len(desk(daemon).queries.open_incidents()) == len(cases)
    for cause in cases.values():
        incident = incident_of(daemon, cause.target)
        assert incident is not None
        kinds = [event.kind for event in desk(daemon).queries.events(incident.number)]
        assert EventKind.CLEARED in kinds
        assert EventKind.SIGNED not in kinds
        assert (incident.open, incident.step) == (True, 1)
