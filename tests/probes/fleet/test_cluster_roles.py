"""Two primaries, or none, found from the roles of all servers of a cluster."""

from __future__ import annotations

from datetime import timedelta

from probes import Finding, Measurement, Reading, Severity, Target
from probes.fleet.cluster_roles import PROBE, ClusterRoles
from probes.fleet.observation import Observation, observed
from probes.fleet.plan import Plan
from probes.judge import Judge, Recalled
from tests.support.builders import NOON, a_probe, a_reading, a_target

INTERVAL = 15.0


def seen(target: Target, reading: Reading) -> Observation:
    return observed(Plan(target, (), INTERVAL, 2.0), a_probe(reading.probe), reading)


class Cluster:
    """Servers with the roles they should have and those they show, and a judge of the cluster."""

    def __init__(self, **expected: str) -> None:
        self.targets = {
            name: a_target(name, cluster="simpeg", application="SIMPEG") for name in expected
        }
        self.expected = expected
        self.clusters = ClusterRoles()
        self.clusters.take_seats(self.targets.values())
        self.judge = Judge()
        self.rounds = 0

    def stands(self, **timelines: int) -> None:
        """On which timeline each server is, at the next round."""
        at = NOON + timedelta(seconds=(self.rounds + 1) * INTERVAL)
        for name, timeline in timelines.items():
            told = (Measurement("timeline", float(timeline)),)
            reading = Reading(name, "replication_lag", at, 0.0, told)
            self.clusters.note_timeline(seen(self.targets[name], reading))

    def shows(self, times: int = 4, **actual: str) -> dict[str, Finding]:
        """The findings after some rounds, by measure."""
        found = self.says(times, **actual)
        return {name: each for name, each in found.items() if each.severity > Severity.CLEAR}

    def says(self, times: int = 4, **actual: str) -> dict[str, Finding]:
        """The last word after some rounds, by measure."""
        found: dict[str, Finding] = {}
        for _ in range(times):
            self.rounds += 1
            at = NOON + timedelta(seconds=self.rounds * INTERVAL)
            for name, role in actual.items():
                own = seen(self.targets[name], a_reading(name, at=at))
                for each in self.clusters.derive(own, self.expected[name], role):
                    assessment = self.judge.assess(each.target, PROBE, each.reading)
                    found |= {
                        finding.measure: finding
                        for finding in assessment.findings
                        if finding.fingerprint not in assessment.undecided
                    }
        return found


def test_one_primary_is_well() -> None:
    cluster = Cluster(a="primary", b="replica")
    assert cluster.shows(a="primary", b="replica") == {}


def test_a_second_primary_opens_an_incident_that_names_both() -> None:
    cluster = Cluster(a="primary", b="replica")
    cluster.shows(a="primary", b="replica")
    found = cluster.shows(a="primary", b="primary")["cluster_surplus_primaries"]
    assert found.opens
    assert found.title.en == "Cluster simpeg has more than one primary: a, b"
    assert (found.target, found.family) == ("simpeg", "role")
    assert found.about["application"] == "SIMPEG"
    assert cluster.shows(a="primary", b="replica") == {}


def test_a_pooler_is_no_server_of_its_cluster_and_hides_no_missing_primary() -> None:
    cluster = Cluster(a="primary", b="replica")
    front = a_target("front", engine="pgbouncer", cluster="simpeg", role="pooler")
    cluster.clusters.take_seats([*cluster.targets.values(), front])
    assert cluster.clusters.derive(seen(front, a_reading("front")), "pooler", "") == []
    assert "cluster_has_primary" in cluster.shows(a="replica", b="replica")
    assert cluster.clusters.partners(cluster.targets["a"]) == ["b"]


def test_a_cluster_of_replicas_only_has_no_primary() -> None:
    cluster = Cluster(a="primary", b="replica")
    found = cluster.shows(a="replica", b="replica")["cluster_has_primary"]
    assert found.opens
    assert "a, b" in found.title.en


def test_a_primary_that_cannot_be_seen_is_not_a_missing_one() -> None:
    cluster = Cluster(a="primary", b="replica")
    assert cluster.shows(a="", b="replica") == {}


def test_an_old_role_is_no_role() -> None:
    cluster = Cluster(a="primary", b="replica")
    cluster.shows(a="primary", b="replica")
    assert cluster.shows(times=10, b="replica") == {}
    assert "cluster_has_primary" not in cluster.shows(times=10, b="replica")


def test_a_promotion_while_the_old_primary_is_down_is_no_second_primary() -> None:
    cluster = Cluster(a="primary", b="replica")
    assert cluster.shows(a="", b="primary") == {}
    assert "cluster_surplus_primaries" in cluster.shows(a="primary", b="primary")


def test_many_primaries_by_design_are_well() -> None:
    galera = Cluster(a="primary", b="primary", c="primary")
    assert galera.shows(a="primary", b="primary", c="primary") == {}


def test_before_roles_are_learned_nobody_is_one_too_many() -> None:
    new = Cluster(a="", b="", c="")
    assert new.shows(a="primary", b="primary", c="primary") == {}


def test_trouble_of_a_cluster_that_stood_before_a_start_clears() -> None:
    cluster = Cluster(a="primary", b="replica")
    stood = Recalled("cluster_roles", "cluster_surplus_primaries", "", Severity.CRITICAL, NOON)
    cluster.judge.recall("simpeg", [stood])
    stands = cluster.says(times=2, a="primary", b="replica")
    assert stands["cluster_surplus_primaries"].severity is Severity.CRITICAL
    over = cluster.says(times=2, a="primary", b="replica")
    assert over["cluster_surplus_primaries"].severity is Severity.CLEAR


def test_a_replica_asks_its_primary_and_a_primary_its_replicas() -> None:
    cluster = Cluster(a="primary", b="replica", c="replica")
    cluster.shows(a="primary", b="replica", c="replica")
    assert cluster.clusters.partners(cluster.targets["b"]) == ["a"]
    assert cluster.clusters.partners(cluster.targets["a"]) == ["b", "c"]
    assert cluster.clusters.partners(a_target("alone")) == []


def test_a_replica_that_stays_on_an_old_timeline_is_no_copy_any_more() -> None:
    cluster = Cluster(a="primary", b="replica", c="replica")
    cluster.stands(a=2, b=1, c=2)
    assert cluster.shows(times=1, a="primary", b="replica", c="replica") == {}
    found: dict[str, Finding] = {}
    for _ in range(4):  # a failover takes its seconds
        cluster.stands(a=2, b=1, c=2)
        found = cluster.shows(times=1, a="primary", b="replica", c="replica")
    strayed = found["cluster_strayed_replicas"]
    assert strayed.opens
    assert strayed.title.en == (
        "Cluster simpeg: b is no copy of a any more: timeline 1, while a writes timeline 2"
    )
    for _ in range(2):
        cluster.stands(a=2, b=2, c=2)
        found = cluster.shows(times=1, a="primary", b="replica", c="replica")
    assert found == {}


def test_which_timeline_is_right_is_not_asked_while_two_write() -> None:
    cluster = Cluster(a="primary", b="replica", c="replica")
    for _ in range(6):
        cluster.stands(a=1, b=2, c=1)
        found = cluster.shows(times=1, a="primary", b="primary", c="replica")
    assert set(found) == {"cluster_surplus_primaries"}


def test_the_number_of_primaries_is_on_metrics() -> None:
    cluster = Cluster(a="primary", b="replica")
    cluster.shows(a="primary", b="replica")
    (family,) = cluster.clusters.collect()
    assert [(s.labels, s.value) for s in family.samples] == [({"cluster": "simpeg"}, 1.0)]
