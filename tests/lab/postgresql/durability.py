"""What was committed may be lost, or already is: archive, settings, crashes, slots, standbys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2

from probes import Limits, Severity
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, WARNS, Break, Fault
from tests.servers.machine import until


@contextmanager
def archiver_failing(world: World) -> Iterator[None]:
    with world.setting("archive_command", "/bin/false"):
        world.primary.sql("update pegawai set gaji = gaji + 1")
        world.primary.sql("select pg_switch_wal()")
        until(
            lambda: world.primary.sql(
                "select coalesce(extract(epoch from clock_timestamp() - last_failed_time), 0) > 0.3"
                " from pg_stat_archiver"
            )[0][0],
            "archiving having failed",
        )
        yield
    until(
        lambda: world.primary.sql(
            "select last_archived_time > last_failed_time from pg_stat_archiver"
        )[0][0],
        "archiving working again",
    )


@contextmanager
def commits_not_flushed(world: World) -> Iterator[None]:
    """Switched off for an import, and left so."""
    with world.setting("synchronous_commit", "off"):
        yield


@contextmanager
def crashed_and_back(world: World) -> Iterator[None]:
    """A power cut between two readings: nobody saw the server away."""
    world.primary.stop(hard=True)
    world.primary.start()
    world.wait_whole()
    yield
    world.primary.restart()  # an orderly start afterwards: the crash is history
    world.wait_whole()


@contextmanager
def slot_forgotten(world: World) -> Iterator[None]:
    """A standby was taken out of service, its slot was not."""
    world.primary.sql("select pg_create_physical_replication_slot('lupa', true)")
    try:
        yield
    finally:
        world.primary.sql("select pg_drop_replication_slot('lupa')")


@contextmanager
def slot_lost(world: World) -> Iterator[None]:
    """The forgotten slot's standby stayed away for longer than WAL is kept."""
    with slot_forgotten(world):
        for _ in range(6):
            world.primary.fill(20)
            world.primary.sql("checkpoint")
            if world.slot_status("lupa") == "lost":
                break
        assert world.slot_status("lupa") == "lost"
        yield
    world.primary.sql("drop table fill_me")
    world.wait_whole()


@contextmanager
def synchronous_standby_missing(world: World) -> Iterator[None]:
    """Commits wait for a standby that nobody has."""

    def write() -> None:
        connection = world.primary.connect()
        # Cancelling the wait is how it ends.
        with suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("update pegawai set gaji = 1 where id = 50")
        connection.close()

    thread = threading.Thread(target=write)
    with world.setting("synchronous_standby_names", "cadangan"):
        thread.start()
        hanging = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        until(lambda: world.primary.sql(hanging)[0][0] > 0, "a commit hanging")
        yield
    thread.join(30)
    world.wait_whole()


@contextmanager
def read_only(world: World) -> Iterator[None]:
    with world.setting("default_transaction_read_only", "on"):
        yield


@contextmanager
def promoted(world: World) -> Iterator[None]:
    """Somebody promotes the replica although the primary lives: two of them take writes."""
    world.replica.sql("select pg_promote()")
    try:
        yield
    finally:
        world.rebuild_replica()


def _fault(
    name: str,
    inject: Break[World],
    probe: str,
    measure: str,
    family: str,
    *words: str,
    **more: Any,
) -> Fault[World]:
    limits = more.pop("limits", None)
    return Fault(
        f"durability/{name}", "postgresql", inject, more.pop("target", PRIMARY), probe, measure,
        family, words, limits={f"{probe}.{measure}": limits} if limits else {}, **more,
    )  # fmt: skip


FAULTS = (
    _fault(
        "archiver_failing", archiver_failing, "archiver", "archive_failing_seconds", "archiving",
        "archiving WAL has failed", limits=Limits(warning=0.1, critical=0.2),
        evidence=("/bin/false",),
    ),
    _fault(
        "unsafe_settings", commits_not_flushed, "durability_settings", "unsafe_settings",
        "durability",         "synchronous_commit", limits=WARNS, severity=Severity.WARNING,
        evidence=("synchronous_commit",),
    ),
    _fault(
        "crashed_and_back", crashed_and_back, "restart", "crash_recovered", "availability",
        "primary",
    ),
    _fault(
        "slot_forgotten", slot_forgotten, "slots", "slot_active", "replication", "lupa",
        limits=WARNS, severity=Severity.WARNING, evidence=("lupa",),
    ),
    _fault("slot_lost", slot_lost, "slots", "slot_wal_status", "replication", "lupa", "lost",
           evidence=("lupa",)),
    _fault(
        "synchronous_standby_missing", synchronous_standby_missing, "standbys",
        "synchronous_standbys_missing", "replication", "commits hang", "cadangan",
        evidence=("replica1",),
    ),
    _fault(
        "read_only", read_only, "availability", "read_only", "role", "refuses writes",
    ),
    _fault(
        "promoted", promoted, "cluster_roles", "cluster_surplus_primaries", "role",
        "more than one primary", "primary, replica", target="lab", extra_rounds=1,
    ),
)  # fmt: skip
