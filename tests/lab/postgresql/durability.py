"""Committed data at risk or lost: archive, settings, crashes, slots, standbys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psycopg2

from probes import Limits, Severity, registry
from tests.lab.postgresql.world import World
from tests.lab.scenario import PRIMARY, REPLICA, WARNS, Break, Fault
from tests.servers.certificates import certify
from tests.servers.machine import until
from tests.servers.postgres_programs import run
from tests.servers.postgresql import MONITOR
from tests.support.selection import asked_for, impossible_here

_READY = "pg_ls_archive_statusdir() where name like '%.ready'"


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
def archiver_stuck(world: World) -> Iterator[None]:
    """The command waits for storage that does not come back: nothing fails, the backlog grows."""
    go = world.primary.folder / "arsip-kembali"
    with world.setting("archive_command", f"while [ ! -e {go} ]; do sleep 0.05; done"):
        try:
            _segment_waits(world)
            yield
        finally:
            go.touch()
    archive_empties(world)
    go.unlink()


@contextmanager
def archive_command_emptied(world: World) -> Iterator[None]:
    """Emptied for an hour of work on the archive, and left so."""
    with world.setting("archive_command", ""):
        _segment_waits(world)
        yield
    archive_empties(world)


def _segment_waits(world: World) -> None:
    world.primary.sql("update pegawai set gaji = gaji + 1")
    world.primary.sql("select pg_switch_wal()")
    oldest = (
        "select coalesce(extract(epoch from clock_timestamp() - min(modification)), 0) > 0.3 "
        f"from {_READY}"
    )
    until(lambda: world.primary.sql(oldest)[0][0], "a segment waiting to be archived")


def archive_empties(world: World) -> None:
    world.primary.sql("select pg_switch_wal()")  # else 13 sleeps out its minute before it looks
    until(lambda: not world.primary.sql(f"select 1 from {_READY}"), "every segment archived")
    world.wait_whole()


@contextmanager
def commits_not_flushed(world: World) -> Iterator[None]:
    """Switched off for an import, and left so."""
    with world.setting("synchronous_commit", "off"):
        yield


@contextmanager
def crashed_and_back(world: World) -> Iterator[None]:
    """A power cut between two readings, so no reading failed."""
    world.primary.stop(hard=True)
    world.primary.start()
    world.wait_whole()
    yield
    world.primary.restart()  # an orderly start afterwards: the crash is history
    world.wait_whole()


class Killed:
    """The server is killed and started again as soon as that is reported."""

    TOLD_BY = 2  # rounds

    def __init__(self) -> None:
        self._rounds = 0

    @contextmanager
    def away(self, world: World) -> Iterator[None]:
        self._rounds = 0
        world.primary.stop(hard=True)
        yield
        world.primary.restart()  # an orderly start afterwards: the crash is history
        world.wait_whole()

    def comes_back(self, world: World) -> None:
        self._rounds += 1
        if self._rounds == self.TOLD_BY + 1:
            world.primary.start()
            world.wait_whole()


KILLED = Killed()


@contextmanager
def replica_crashed_and_back(world: World) -> Iterator[None]:
    """The same on the replica, which is not a new copy; before 15 nothing shows it."""
    world.replica.stop(hard=True)
    world.replica.start()
    world.wait_whole()
    yield
    world.replica.restart()
    world.wait_whole()


@contextmanager
def page_damaged(world: World) -> Iterator[None]:
    """Storage returned other bytes than were written, and they were read."""
    world.primary.sql("create table berkas as select n from generate_series(1, 1000) n")
    path = world.primary.sql("select pg_relation_filepath('berkas')")[0][0]
    checked = world.primary.sql("show data_checksums")[0][0] == "on"
    world.primary.stop()
    if not checked:
        run([str(world.primary.programs / "pg_checksums"), "-e", "-D", str(world.primary.data)])
    with (world.primary.data / path).open("r+b") as file:
        file.seek(4000)
        file.write(b"rusak")
    world.primary.start()
    with suppress(psycopg2.errors.DataCorrupted):
        world.primary.sql("select count(*) from berkas")
    failures = "select sum(checksum_failures) from pg_stat_database"
    until(lambda: world.primary.sql(failures)[0][0] > 0, "the failure being counted")
    world.wait_whole()
    yield
    world.primary.sql("drop table berkas")
    world.primary.sql("select pg_stat_reset()")
    until(lambda: world.primary.sql(failures)[0][0] == 0, "the statistics being reset")
    world.wait_whole()


@contextmanager
def canary(world: World) -> Iterator[None]:
    """The table, by the very lines ``sigap grants postgresql --canary`` prints."""
    for grant in registry.engine("postgresql").options["canary"]:
        world.primary.sql(grant.sql.format(user=MONITOR))
    world.wait_whole()
    try:
        yield
    finally:
        world.primary.sql("drop schema sigap cascade")
        world.wait_whole()


@contextmanager
def canary_waits_for_a_lock(world: World) -> Iterator[None]:
    """Reading sessions look healthy while a write does not end."""
    with world.session("select * from sigap.canary for update", name="pemeriksa"):
        yield


@contextmanager
def certificate_ends(world: World, days: int) -> Iterator[None]:
    """A real certificate with so many days left, or long expired; then a new one."""
    certify(world.primary, days)
    until(lambda: world.primary.sql("show ssl")[0][0] == "on", "TLS being offered")
    yield
    certify(world.primary, 400)


@contextmanager
def encrypted(world: World) -> Iterator[None]:
    """TLS with a certificate that is good for a year."""
    if asked_for("matrix") and not world.primary.sql("show ssl_library")[0][0]:
        impossible_here(f"the build of PostgreSQL {world.shown_version} has no TLS")
    certify(world.primary, 400)
    try:
        yield
    finally:
        world.primary.sql("alter system reset ssl")
        world.primary.sql("select pg_reload_conf()")
        until(lambda: world.primary.sql("show ssl")[0][0] == "off", "TLS being off")


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
            world.fill(20)
            world.primary.sql("checkpoint")
            if world.slot_status("lupa") == "lost":
                break
        assert world.slot_status("lupa") == "lost"
        yield
    world.primary.sql("drop table fill_me")
    world.wait_whole()


@contextmanager
def synchronous_standby_missing(world: World) -> Iterator[None]:
    """Commits wait for a standby that does not exist."""

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
def heartbeat_stands_still(world: World) -> Iterator[None]:
    """The primary writes it on and on; the replica takes nothing in any more."""
    with world.pair.paused_replay():
        world.primary.sql("update sigap.canary set at = clock_timestamp() where id = 1")
        waits = "select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()"
        until(lambda: world.replica.sql(waits)[0][0], "the heartbeat waiting to be replayed")
        old = "select clock_timestamp() - at > interval '2 s' from sigap.canary"
        until(lambda: world.replica.sql(old)[0][0], "the heartbeat aging on the replica")
        yield
    world.wait_whole()


@contextmanager
def promoted(world: World) -> Iterator[None]:
    """The replica is promoted although the primary is alive: both take writes."""
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
        "archiver_stuck", archiver_stuck, "archiver", "archive_oldest_ready_seconds", "archiving",
        "has waited", limits=Limits(warning=0.1, critical=0.2), evidence=("arsip-kembali",),
    ),
    _fault(
        "archive_command_emptied", archive_command_emptied, "archiver", "archive_unset_seconds",
        "archiving", "archive_command is empty", limits=Limits(warning=0.1, critical=0.2),
        evidence=("archive_command",),
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
        "killed_and_back", KILLED.away, "availability", "up", "availability", "refuses connections",
        meanwhile=KILLED.comes_back, symptoms=("crash_recovered",),
    ),
    _fault(
        "replica_crashed_and_back", replica_crashed_and_back, "restart", "crash_recovered",
        "availability", "replica", target=REPLICA, versions=(150000, 10**9),
    ),
    _fault(
        "page_damaged", page_damaged, "checksums", "checksum_failures", "corruption",
        "damaged pages were read in database postgres",
    ),
    _fault(
        "canary_hangs_on_a_standby", synchronous_standby_missing, "standbys",
        "synchronous_standbys_missing", "replication", "commits hang", given=canary,
        symptoms=("canary_ok",),
    ),
    _fault(
        "canary_waits_for_a_lock", canary_waits_for_a_lock, "write_canary", "canary_ok",
        "availability", "cannot write", "lock", given=canary,
    ),
    _fault(
        "canary_stays_while_applications_may_not_write", read_only, "availability", "read_only",
        "role", "refuses writes", given=canary,
    ),
    _fault(
        "heartbeat_stands_still", heartbeat_stands_still, "write_canary", "heartbeat_late_seconds",
        "replication", "heartbeat", given=canary, target=REPLICA,
        limits=Limits(warning=0.2, critical=0.4),
    ),
    _fault(
        "certificate_ends_tomorrow", partial(certificate_ends, days=1), "tls_certificate",
        "tls_certificate_expires_in_seconds", "certificate", "CN=simpeg.example", given=encrypted,
    ),
    _fault(
        "certificate_expired", partial(certificate_ends, days=-2), "tls_certificate",
        "tls_certificate_expires_in_seconds", "certificate", "CN=simpeg.example", given=encrypted,
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
