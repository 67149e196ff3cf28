"""Faults of a MySQL group of three members, two of them monitored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from probes import Expectations, Limits, Severity, Target
from tests.lab.mysql.durability import canary_lines
from tests.lab.mysql.world import grants, version_of
from tests.lab.scenario import PRIMARY, REPLICA, Break, Fault, Healthy
from tests.servers import mysql_group
from tests.servers.mariadb import eventually
from tests.servers.mysql_group import Member

ONE, TWO = "satu", "dua"


class Group:
    """One primary and its secondaries, or primaries only; the third member is not monitored."""

    engine = "mysql"
    flavour = "mysql"
    title = "Group Replication on MySQL"
    ruined = False
    rest_seconds = 0.0

    def __init__(self, members: Sequence[Member], *, single: bool) -> None:
        self.one, self.two, self.third = self.all = tuple(members)
        self._roles = (PRIMARY, REPLICA if single else PRIMARY)
        self.shown_version, self.version = version_of(self.one)

    def targets(self, *, through_proxy: bool = False) -> Sequence[Target]:
        del through_proxy  # no scenario of a group goes through one
        everybody = Expectations(members=tuple(each.address for each in self.all))
        watched = zip((ONE, TWO), self.all, self._roles, strict=False)
        return [
            replace(member.target(name=name, cluster="lab", role=role), expects=everybody)
            for name, member, role in watched
        ]

    def wait_whole(self) -> None:
        """Every member sees every other ONLINE, and none is behind."""
        whole = {each.address: "ONLINE" for each in self.all}
        eventually(
            lambda: all(each.members() == whole for each in self.all), "every member sees all"
        )
        mysql_group.caught_up(self.all)

    def lost(self, member: Member) -> None:
        """Wait until the group has expelled the member."""
        eventually(lambda: member.address not in self._seen(member), f"{member.address} is out")

    def back(self, *members: Member) -> None:
        """Start what is down, have it join, and give the first its place again."""
        for member in members:
            member.start()
            member.stop()  # once more in order: the crash is history
            member.start()
            member.join()
        self.wait_whole()

    def _seen(self, gone: Member) -> dict[str, str]:
        survivor = next(each for each in self.all if each is not gone)
        return survivor.members() or {gone.address: "not known"}


@contextmanager
def world(*, single: bool = True) -> Iterator[Group]:
    """A group of its own, gone afterwards."""
    with mysql_group.members(3, single=single) as members:
        members[0].grant_monitor(grants("mysql"))
        members[0].sql(
            "CREATE DATABASE app",
            "CREATE TABLE app.pegawai (id INT PRIMARY KEY, gaji INT)",
            "INSERT INTO app.pegawai VALUES (1, 0), (2, 0)",
            *canary_lines("mysql"),
        )
        made = Group(members, single=single)
        made.wait_whole()
        yield made


@contextmanager
def member_killed(group: Group) -> Iterator[None]:
    """The member that is not monitored crashes: only the others can report it missing."""
    group.third.kill()
    group.lost(group.third)
    try:
        yield
    finally:
        group.back(group.third)


@contextmanager
def primary_killed(group: Group) -> Iterator[None]:
    """The primary dies, and a secondary takes its place."""
    group.one.kill()
    group.lost(group.one)
    try:
        yield
    finally:
        group.back(group.one)
        group.one.lead()
        group.wait_whole()


@contextmanager
def quorum_lost(group: Group) -> Iterator[None]:
    """Two of three die in the same moment: the one that is left takes no write."""
    group.two.kill()
    group.third.kill()
    eventually(
        lambda: list(group.one.members().values()).count("UNREACHABLE") == 2,
        "the primary reaches nobody",
    )
    try:
        yield
    finally:
        group.one.go_on_alone()
        group.back(group.two, group.third)


@contextmanager
def member_left(group: Group) -> Iterator[None]:
    """Group Replication was stopped on a secondary: it answers with old data."""
    group.two.sql("STOP GROUP_REPLICATION")
    group.lost(group.two)
    try:
        yield
    finally:
        group.two.join()
        group.wait_whole()


@contextmanager
def applier_fails(group: Group) -> Iterator[None]:
    """A row was written on a secondary, and the group's own write finds it there already.

    Such a member leaves its group and accepts administrators only (MySQL 9's exit_state_action).
    """
    with group.two.admin("app") as local, local.cursor() as cursor:
        cursor.execute("SET GLOBAL super_read_only = OFF")
        cursor.execute("SET sql_log_bin = 0")
        cursor.execute("INSERT INTO pegawai VALUES (3, 0)")
        cursor.execute("SET GLOBAL super_read_only = ON")
    group.one.sql("INSERT INTO app.pegawai VALUES (3, 1)")
    group.lost(group.two)
    eventually(group.two.is_offline, "it takes administrators only")
    try:
        yield
    finally:
        group.two.sql("STOP GROUP_REPLICATION", "SET GLOBAL offline_mode = OFF")
        with group.two.admin("app") as local, local.cursor() as cursor:
            cursor.execute("SET GLOBAL super_read_only = OFF")
            cursor.execute("SET sql_log_bin = 0")
            cursor.execute("DELETE FROM pegawai WHERE id = 3")
        group.two.join()
        group.one.sql("DELETE FROM app.pegawai WHERE id = 3")
        group.wait_whole()


@contextmanager
def applier_held_up(group: Group) -> Iterator[None]:
    """A backup took the global read lock on a secondary and never gave it back."""
    with group.two.admin() as backup, backup.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        for number in range(40):
            group.one.sql(f"UPDATE app.pegawai SET gaji = {number} WHERE id = 1")
        yield
    group.wait_whole()


@contextmanager
def idle(group: Group) -> Iterator[None]:
    """No activity but the canary."""
    yield


@contextmanager
def load(group: Group) -> Iterator[None]:
    """Four sessions write to the primary all the time."""
    ended, done = threading.Event(), [0]

    def write() -> None:
        with group.one.admin("app") as connection, connection.cursor() as cursor:
            while not ended.wait(0.01):
                cursor.execute("UPDATE pegawai SET gaji = gaji + 1 WHERE id = 2")
                done[0] += 1

    writers = [threading.Thread(target=write) for _ in range(4)]
    for each in writers:
        each.start()
    try:
        eventually(lambda: done[0] > 50, "the load runs")
        yield
    finally:
        ended.set()
        for each in writers:
            each.join(60)
    group.wait_whole()


@contextmanager
def both_written_to(group: Group) -> Iterator[None]:
    """Many primaries, each written to in rows of its own."""
    for number, member in enumerate((group.one, group.two), 1):
        member.sql(f"UPDATE app.pegawai SET gaji = gaji + 1 WHERE id = {number}")
    yield
    group.wait_whole()


@contextmanager
def planned_switch(group: Group) -> Iterator[None]:
    """Announced: the secondary leads meanwhile."""
    group.two.lead()
    try:
        yield
    finally:
        group.one.lead()
        group.wait_whole()


def _fault(
    name: str, inject: Break[Group], target: str, measure: str, *words: str, **more: Any
) -> Fault[Group]:
    return Fault(
        f"group/{name}", "mysql", inject, target, more.pop("probe", "group_replication"), measure,
        more.pop("family", "replication"), words, **more,
    )  # fmt: skip


QUEUE = Limits(warning=20, raise_after=2, opens=Severity.WARNING)
"""Twenty transactions instead of the 25,000 at which the group's own brake begins."""

FAULTS = (
    _fault(
        "member_killed", member_killed, ONE, "declared_member_missing",
        "cluster member 127.0.0.1:", or_target=TWO, probe="expected_members",
        evidence=("MEMBER_STATE", "ONLINE", "127.0.0.1"),
    ),
    _fault(
        "primary_killed", primary_killed, ONE, "up", "refuses connections",
        probe="availability", family="availability",
        symptoms=("declared_member_missing", "role_as_expected"),
    ),
    _fault(
        "quorum_lost", quorum_lost, ONE, "group_has_quorum", "lost its quorum",
        "only 1 of 3", symptoms=("up",), evidence=("UNREACHABLE",),
    ),
    _fault(
        "member_left", member_left, TWO, "group_member_online", "OFFLINE",
        symptoms=("declared_member_missing",), evidence=("OFFLINE",),
    ),
    _fault(
        "applier_fails", applier_fails, TWO, "up", "refuses connections",
        probe="availability", family="availability", symptoms=("declared_member_missing",),
        evidence=("refused", "offline mode", "leave group on failure"),
    ),
    _fault(
        "applier_held_up", applier_held_up, TWO, "group_queue_transactions", "transactions wait",
        severity=Severity.WARNING, limits={"group_replication.group_queue_transactions": QUEUE},
        evidence=("ONLINE",),
    ),
)  # fmt: skip

HEALTHY = (
    Healthy(
        "healthy/idle_group", "mysql", idle, rounds=60, seconds_a_round=60.0, own_clocks=True
    ),
    Healthy("healthy/group_under_load", "mysql", load),
    Healthy(
        "healthy/member_restarted_within_a_window", "mysql", member_killed, rounds=4,
        announced=True,
    ),
    Healthy("healthy/planned_switch_of_a_group", "mysql", planned_switch, rounds=4, announced=True),
)  # fmt: skip

HEALTHY_WITH_MANY_PRIMARIES = (Healthy("healthy/group_of_primaries", "mysql", both_written_to),)
