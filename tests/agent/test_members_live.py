"""On a real pair: members are learned, a missing standby and two primaries are reported, and the
evidence of a broken replication has both sides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Incident
from incidents.procedure import load as procedure
from incidents.store import open_store
from probes import Severity
from tests.servers import postgresql
from tests.support.agent import Agent, running, sigap, target_lines, write_config
from tests.support.wait import until

pytestmark = pytest.mark.servers


@pytest.fixture
def pair() -> Iterator[postgresql.PostgresPair]:
    with postgresql.pair() as made:
        yield made


@pytest.fixture
def agent(pair: postgresql.PostgresPair, tmp_path: Path) -> Iterator[Agent]:
    """A daemon that learns within a second and has learned both roles."""
    lines = [
        target_lines(server.target(name), cluster="simpeg")
        for name, server in (("kiri", pair.primary), ("kanan", pair.replica))
    ]
    file = write_config(tmp_path, lines)
    file.write_text(file.read_text().replace("deadline:", "learn_after: 1s, deadline:"))
    with running(file) as started:
        until("both roles learned", lambda: {"primary", "replica"} <= learned(tmp_path), 40)
        yield started


def learned(folder: Path) -> set[str]:
    done = sigap("learn", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return {each["name"] for each in json.loads(done.stdout)}


def open_incidents(folder: Path) -> tuple[Incident, ...]:
    """What the daemon's store holds, read beside it."""
    store = open_store(f"sqlite:///{folder / 'sigap.db'}")
    try:
        return Desk(
            store, procedure.load("kaltim"), calendar.load("kaltim")
        ).queries.open_incidents()
    finally:
        store.close()


def test_a_promoted_replica_is_one_incident_that_names_both_primaries(
    pair: postgresql.PostgresPair, agent: Agent
) -> None:
    pair.replica.sql("select pg_promote()")
    both = "Klaster simpeg mempunyai lebih dari satu primer: kanan, kiri"
    until(
        "the cluster's own incident",
        lambda: both in [each.title.id for each in open_incidents(agent.folder)],
        60,
    )
    (incident,) = open_incidents(agent.folder)
    assert len(incident.troubles) > 1
    assert agent.metric('sigap_cluster_primaries{cluster="simpeg"}')[0].endswith(" 2.0")


def test_the_evidence_of_a_cut_replication_shows_both_sides(
    pair: postgresql.PostgresPair, agent: Agent
) -> None:
    with pair.cut_receiver():
        titles = until("evidence of both sides", lambda: both_sides(agent.folder), 60)
    assert titles[0].startswith(("WAL receiver", "Standbys"))
    assert len(open_incidents(agent.folder)) == 1


def both_sides(folder: Path) -> list[str]:
    """The titles of the first evidence that shows two servers."""
    for incident in open_incidents(folder):
        for trouble in incident.troubles:
            exhibits = (trouble.evidence or {}).get("exhibits", ())
            titles = [str(each["title"]["en"]) for each in exhibits]
            if any(title.startswith(("kiri: ", "kanan: ")) for title in titles):
                return titles
    return []


def test_what_stood_before_a_restart_clears_once_it_is_mended(
    pair: postgresql.PostgresPair, agent: Agent
) -> None:
    pair.replica.stop()
    until("symptoms", lambda: any(len(i.troubles) > 1 for i in open_incidents(agent.folder)), 60)
    assert len(open_incidents(agent.folder)) == 1
    agent.stop()
    before = red(agent.folder)
    assert before
    pair.replica.start()
    pair.wait_streaming()
    with running(agent.folder / "agent.yaml"):
        # The restart is reported for some minutes; there was no finding before.
        until("all of it clear", lambda: not before & red(agent.folder), 60)


def red(folder: Path) -> set[str]:
    """The findings that are not clear."""
    return {
        trouble.fingerprint
        for incident in open_incidents(folder)
        for trouble in incident.troubles
        if trouble.severity > Severity.CLEAR
    }
