"""Each fault of the demo is real: a plain SQL client sees it, and sees it gone after healing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import psycopg2
import pytest

from agent.demo.errors import DemoError
from agent.demo.home import Home
from agent.demo.scene import ground as names
from agent.demo.scene.faults import FAULTS, Faults, waiting
from agent.demo.scene.pileup import VICTIMS
from agent.demo.scene.world import World
from agent.demo.servers.process import wait_until
from tests.agent.demo.places import demo_folder
from tests.support.used import note

pytestmark = pytest.mark.servers

SOON = 20.0


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
            version = world.esurat.servers[names.MY_PRIMARY].ask("select version() as v")[0]["v"]
            note("MariaDB", version)
            yield Faults(world)
        finally:
            world.stop()
            home.unlock()


def silent(port: int) -> bool:
    """Whether a server accepts a connection and does not answer a login."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.settimeout(0.5)
        connection.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))  # SSLRequest
        try:
            return connection.recv(1) == b""
        except TimeoutError:
            return True


def refused(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


def replica_misses(faults: Faults, target: str) -> bool:
    """Whether a row written on the primary now stays away from the replica."""
    world = faults.world
    if target == names.PG_REPLICA:
        primary, replica = world.simpeg.servers[names.PG_PRIMARY], world.simpeg.servers[target]
        lsn = primary.ask("select pg_current_wal_lsn()")[0][0]
        seen = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
        return not wait_until(lambda: bool(replica.ask(seen, (lsn,))[0][0]), 1.0)
    status = world.esurat.servers[target].replication()
    return (status["Slave_IO_Running"], status["Slave_SQL_Running"]) != ("Yes", "Yes")


def bites(faults: Faults, name: str, target: str) -> bool:
    """Whether a fault is to be seen on a server, asked in another way than the demo asks."""
    world = faults.world
    looks: dict[str, Callable[[], bool]] = {
        "replication": lambda: replica_misses(faults, target),
        "lock": lambda: waiting(world.servers[target]) == VICTIMS,
        "freeze": lambda: silent(world.servers[target].port),
        "volume": lambda: os.statvfs(world.home.volume).f_bavail == 0,
        "stop": lambda: refused(world.servers[target].port),
    }
    return looks[name]()


ALL = [(fault.name, target) for fault in FAULTS.values() for target in fault.targets]


@pytest.mark.parametrize(("name", "target"), ALL, ids=lambda value: str(value))
def test_each_fault_breaks_for_real_and_heals_exactly(
    faults: Faults, name: str, target: str
) -> None:
    if name == "volume" and not faults.world.simpeg.has_volume:
        pytest.fail("no small volume here: run the tests as root or allow user namespaces")
    assert not bites(faults, name, target)

    faults.break_it(name, target)
    assert wait_until(lambda: bites(faults, name, target), SOON)
    assert faults.status()[name] == (target,)

    faults.heal(name)
    assert wait_until(lambda: not bites(faults, name, target), SOON)
    assert all(not standing for standing in faults.status().values())
    assert wait_until(faults.world.simpeg.streams, SOON)
    assert wait_until(lambda: faults.world.esurat.servers[names.MY_REPLICA].replicates, SOON)


def test_what_is_said_of_a_fault_is_about_its_own_engine() -> None:
    replication = FAULTS["replication"]
    assert "1062" not in replication.said_of("postgresql").en
    assert "pg_hba" not in replication.said_of("mysql").en
    assert all(fault.said_of("mysql").id for fault in FAULTS.values())


def test_mariadb_replication_stops_with_error_1062(faults: Faults) -> None:
    faults.break_it("replication", names.MY_REPLICA)
    assert faults.world.esurat.servers[names.MY_REPLICA].replication()["Last_SQL_Errno"] == 1062
    faults.heal("replication")
    rows = "select count(*) as n from esurat.agenda"
    primary, replica = (
        faults.world.esurat.servers[n] for n in (names.MY_PRIMARY, names.MY_REPLICA)
    )
    assert wait_until(lambda: primary.ask(rows) == replica.ask(rows), SOON)


def test_a_full_wal_volume_does_not_stop_a_primary_that_only_does_its_small_work(
    faults: Faults,
) -> None:
    primary = faults.world.simpeg.servers[names.PG_PRIMARY]
    started = primary.ask("select pg_postmaster_start_time()")
    faults.break_it("volume")
    for _ in range(3):  # three segments on, into what was recycled
        primary.ask("insert into presensi (pegawai, masuk) values (1, now())", database="simpeg")
        primary.ask("select pg_switch_wal()")
    faults.heal("volume")
    assert primary.ask("select pg_postmaster_start_time()") == started


def test_who_ends_the_lock_holder_on_the_server_has_healed_the_fault(faults: Faults) -> None:
    primary = faults.world.simpeg.servers[names.PG_PRIMARY]
    faults.break_it("lock")
    primary.ask(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where application_name = 'simpeg-impor-gaji'"
    )
    assert wait_until(lambda: faults.status()["lock"] == (), SOON)


def test_a_replica_whose_slot_was_lost_is_made_anew_by_healing(faults: Faults) -> None:
    world = faults.world
    primary = world.simpeg.servers[names.PG_PRIMARY]
    faults.break_it("replication", names.PG_REPLICA)
    for _ in range(40):  # more than max_slot_wal_keep_size, in segments of 1 MiB
        primary.ask("select pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()")
    primary.ask("checkpoint")
    status = "select wal_status from pg_replication_slots"
    assert wait_until(lambda: primary.ask(status) == [("lost",)], SOON), primary.ask(status)
    faults.heal("replication")
    assert world.simpeg.streams()


def test_the_monitoring_accounts_are_no_superusers(faults: Faults) -> None:
    primary = faults.world.simpeg.servers[names.PG_PRIMARY]
    asked = "select rolsuper, rolcreaterole, rolreplication from pg_roles where rolname = 'sigap'"
    assert primary.ask(asked) == [(False, False, False)]
    rows = faults.world.esurat.servers[names.MY_PRIMARY].ask("SHOW GRANTS FOR 'sigap'@'127.0.0.1'")
    granted = " ".join(str(value) for row in rows for value in row.values())
    assert "SUPER" not in granted
    assert "ALL PRIVILEGES" not in granted
    assert "SLAVE MONITOR" in granted


def test_nobody_gets_in_over_tcp_without_a_password(faults: Faults) -> None:
    port = faults.world.simpeg.servers[names.PG_PRIMARY].port
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=port, user="postgres", connect_timeout=5)


def test_a_fault_that_stands_cannot_be_made_twice(faults: Faults) -> None:
    faults.break_it("lock")
    with pytest.raises(DemoError, match="already present on simpeg-primary"):
        faults.break_it("lock")
    faults.heal("lock")
    with pytest.raises(DemoError, match="is not present now"):
        faults.heal("lock")


def test_a_frozen_server_is_said_instead_of_waiting_for_it(faults: Faults) -> None:
    faults.break_it("freeze", names.PG_PRIMARY)
    try:
        with pytest.raises(DemoError, match=r"is frozen; heal that first"):
            faults.break_it("replication", names.PG_REPLICA)
    finally:
        faults.heal("freeze")


def test_unknown_names_are_answered_with_the_names_there_are(faults: Faults) -> None:
    with pytest.raises(DemoError, match="replication, lock, freeze, volume, stop"):
        faults.break_it("earthquake")
    with pytest.raises(DemoError, match="choose from: simpeg-primary, esurat-primary"):
        faults.break_it("lock", "simpeg-replica")
