"""Faults of a Galera cluster of three nodes, two of them monitored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from probes import Expectations, Limits, Severity, Target
from tests.lab.mysql.world import grants, version_of
from tests.lab.scenario import WARNS, Break, Fault, Healthy
from tests.servers import galera
from tests.servers.galera import Node
from tests.servers.mariadb import eventually

ONE, TWO = "satu", "dua"
OPTIONS = ("innodb-flush-log-at-trx-commit=1", "sync-binlog=1", "expire-logs-days=10")


class Cluster:
    """Three nodes that all take writes; the third is not monitored."""

    engine = "mysql"
    flavour = "mariadb"
    title = "Galera on MariaDB"
    ruined = False
    rest_seconds = 0.12  # as for a pair

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.one, self.two, self.third = nodes
        self.shown_version, self.version = version_of(self.one)

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]:
        del through_proxy  # no scenario of a cluster goes through one
        everybody = Expectations(members=tuple(each.address for each in self.all))
        return [
            replace(node.target(name=name, cluster="lab", role="primary"), expects=everybody)
            for name, node in ((ONE, self.one), (TWO, self.two))
        ]

    @property
    def all(self) -> tuple[Node, ...]:
        return self.one, self.two, self.third

    def seen_by(self, node: Node, members: int) -> None:
        """Wait until the node's component has so many members."""
        eventually(
            lambda: node.says("wsrep_cluster_size") == str(members),
            f"{node.address} sees {members} members",
        )

    def wait_whole(self) -> None:
        for node in self.all:
            eventually(node.is_synced, f"{node.address} is synced")
            self.seen_by(node, len(self.all))

    def cut_off(self, *nodes: Node) -> None:
        """Cut the nodes' network; each then sees only itself."""
        for node in nodes:
            node.provide("gmcast.isolate=1")
        eventually(
            lambda: all(each.says("wsrep_cluster_status") == "non-Primary" for each in nodes),
            "they are outside the primary component",
        )

    def mend(self, *nodes: Node) -> None:
        for node in nodes:
            node.provide("gmcast.isolate=0")
        self.wait_whole()


@contextmanager
def world() -> Iterator[Cluster]:
    """A cluster of its own, gone afterwards."""
    with galera.nodes(3, OPTIONS) as nodes:
        nodes[0].grant_monitor(grants("mariadb"))
        nodes[0].sql("CREATE DATABASE app")
        made = Cluster(nodes)
        made.wait_whole()
        yield made


@contextmanager
def node_killed(cluster: Cluster) -> Iterator[None]:
    """The node that is not monitored crashes: only the others can report it missing."""
    cluster.third.kill()
    for survivor in (cluster.one, cluster.two):
        cluster.seen_by(survivor, 2)
    try:
        yield
    finally:
        cluster.third.start()
        cluster.wait_whole()


@contextmanager
def watched_node_killed(cluster: Cluster) -> Iterator[None]:
    """A monitored node crashes: it is down, and the other reports it missing."""
    cluster.two.kill()
    cluster.seen_by(cluster.one, 2)
    try:
        yield
    finally:
        cluster.two.start()
        cluster.wait_whole()


@contextmanager
def node_cut_off(cluster: Cluster) -> Iterator[None]:
    """The network of one node is cut: it answers logins and refuses every query."""
    cluster.cut_off(cluster.two)
    cluster.seen_by(cluster.one, 2)
    try:
        yield
    finally:
        cluster.mend(cluster.two)


@contextmanager
def quorum_lost(cluster: Cluster) -> Iterator[None]:
    """The switch between them fails: no part of the cluster is the larger one."""
    cluster.cut_off(*cluster.all)
    try:
        yield
    finally:
        cluster.mend(*cluster.all)


@contextmanager
def desynced(cluster: Cluster) -> Iterator[None]:
    """Taken out of flow control for a backup, and still out."""
    cluster.two.sql("SET GLOBAL wsrep_desync = ON")
    eventually(lambda: not cluster.two.is_synced(), "the node is desynced")
    try:
        yield
    finally:
        cluster.two.sql("SET GLOBAL wsrep_desync = OFF")
        cluster.wait_whole()


@contextmanager
def slow_node_brakes(cluster: Cluster) -> Iterator[None]:
    """Writes to a table without a key: the others scan the whole table for each row."""
    cluster.one.sql(
        "CREATE TABLE app.tanpa_kunci (nilai INT, isi CHAR(100)) ENGINE=InnoDB",
        "INSERT INTO app.tanpa_kunci WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, 'x' FROM n",
    )
    ended = threading.Event()

    def write() -> None:
        with cluster.one.admin("app") as connection, connection.cursor() as cursor:
            while not ended.is_set():
                cursor.execute("UPDATE tanpa_kunci SET nilai = nilai + 1")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        eventually(lambda: _paused(cluster) > 0, "flow control has stopped the cluster")
        yield
    finally:
        ended.set()
        writer.join(60)
        cluster.one.sql("DROP TABLE app.tanpa_kunci")
        cluster.wait_whole()


def _paused(cluster: Cluster) -> int:
    return int(cluster.one.says("wsrep_flow_control_paused_ns") or 0)


@contextmanager
def idle(cluster: Cluster) -> Iterator[None]:
    """No activity."""
    yield


@contextmanager
def load(cluster: Cluster) -> Iterator[None]:
    """Every node is written to at the same time, each in rows of its own."""
    cluster.one.sql("CREATE TABLE app.surat (id INT PRIMARY KEY, nilai INT) ENGINE=InnoDB")
    ended, done = threading.Event(), [0, 0, 0]

    def write(number: int, node: Node) -> None:
        with node.admin("app") as connection, connection.cursor() as cursor:
            while not ended.wait(0.02):
                cursor.execute("REPLACE INTO surat VALUES (%s, %s)", (number, done[number]))
                done[number] += 1

    writers = [threading.Thread(target=write, args=each) for each in enumerate(cluster.all)]
    for each in writers:
        each.start()
    try:
        eventually(lambda: min(done) > 20, "every node is written to")
        yield
    finally:
        ended.set()
        for each in writers:
            each.join(60)
        cluster.one.sql("DROP TABLE app.surat")
        cluster.wait_whole()


def _fault(
    name: str, inject: Break[Cluster], target: str, measure: str, *words: str, **more: Any
) -> Fault[Cluster]:
    return Fault(
        f"galera/{name}", "mysql", inject, target, more.pop("probe", "galera"), measure,
        more.pop("family", "replication"), words, **more,
    )  # fmt: skip


FORGOTTEN = replace(WARNS, raise_after=2)
"""Two rounds instead of the five minutes that a state transfer may take."""

FAULTS = (
    _fault(
        "node_killed", node_killed, ONE, "declared_member_missing", "cluster member 127.0.0.1:",
        or_target=TWO, probe="expected_members",
        evidence=("wsrep_cluster_size", "127.0.0.1:"),
    ),
    _fault(
        "watched_node_killed", watched_node_killed, TWO, "up", "refuses connections",
        probe="availability", family="availability", symptoms=("declared_member_missing",),
    ),
    _fault(
        "node_cut_off", node_cut_off, TWO, "galera_ready", "outside the primary component",
        symptoms=("declared_member_missing",), evidence=("non-Primary",),
    ),
    _fault(
        "quorum_lost", quorum_lost, ONE, "galera_ready", "outside the primary component",
        symptoms=("galera_ready",), or_target=TWO, evidence=("non-Primary",),
    ),
    _fault(
        "desynced_and_forgotten", desynced, TWO, "galera_synced", "not synced", "Desynced",
        severity=Severity.WARNING, limits={"galera.galera_synced": FORGOTTEN},
        evidence=("Donor/Desynced",),
    ),
    _fault(
        "slow_node_brakes", slow_node_brakes, ONE, "galera_paused_ratio", "flow control",
        severity=Severity.WARNING, limits={"galera.galera_paused_ratio": WARNS},
        rest_seconds=1.5, or_target=TWO, evidence=("wsrep_flow_control_paused_ns",),
    ),
)  # fmt: skip

HEALTHY = (
    Healthy(
        "healthy/idle_galera", "mysql", idle, rounds=60, seconds_a_round=60.0, own_clocks=True
    ),
    Healthy("healthy/galera_under_load", "mysql", load),
    Healthy("healthy/desynced_for_a_backup", "mysql", desynced),
    Healthy(
        "healthy/desynced_within_a_window", "mysql", desynced, rounds=4, announced=True,
        limits={"galera.galera_synced": Limits(critical=0.0, raise_after=2)},
    ),
    Healthy(
        "healthy/node_restarted_within_a_window", "mysql", watched_node_killed, rounds=4,
        announced=True,
    ),
)  # fmt: skip
