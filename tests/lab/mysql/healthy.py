"""Normal operation of a MariaDB or MySQL pair that must open no incident."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import outages
from tests.lab.mysql.world import World
from tests.lab.scenario import Healthy
from tests.servers.mariadb import Holder, eventually


@contextmanager
def idle(world: World) -> Iterator[None]:
    """No activity; a replica without traffic is not behind."""
    yield


@contextmanager
def load(world: World) -> Iterator[None]:
    """Four sessions read and write the same table all the time."""
    ended = threading.Event()
    done = [0]

    def work(seed: int) -> None:
        with world.primary.admin("app") as connection, connection.cursor() as cursor:
            number = seed
            while not ended.wait(0.01):
                number = number * 31 % 499 + 1
                cursor.execute("UPDATE pegawai SET gaji = gaji + 1 WHERE id = %s", (number,))
                cursor.execute("SELECT * FROM pegawai WHERE id = %s", (number,))
                done[0] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: done[0] > 50, "the load runs")
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    world.wait_whole()


@contextmanager
def batch_delete(world: World) -> Iterator[None]:
    """Tens of thousands of rows go in one transaction just before the readings."""
    world.primary.sql(
        "CREATE TABLE app.arsip (id INT PRIMARY KEY AUTO_INCREMENT, isi CHAR(64)) ENGINE=InnoDB",
        "INSERT INTO app.arsip (isi) SELECT repeat(a.id, 8) FROM app.pegawai a "
        "JOIN app.pegawai b ON b.id < 60",
        "DELETE FROM app.arsip WHERE id % 2 = 0",
    )
    yield
    world.primary.sql("DROP TABLE app.arsip")
    world.wait_whole()


@contextmanager
def batch_delete_open(world: World) -> Iterator[None]:
    """A delete that stays uncommitted all the time."""
    with world.session("DELETE FROM pegawai"):
        yield
    world.wait_whole()


@contextmanager
def alter_table(world: World) -> Iterator[None]:
    """A table is write-locked by its owner, and no other session needs it."""
    holder = Holder(
        world.primary,
        "LOCK TABLES app.pegawai WRITE",
        "ALTER TABLE app.pegawai ADD COLUMN golongan INT DEFAULT 3",
        "ALTER TABLE app.pegawai DROP COLUMN golongan",
    )
    try:
        yield
    finally:
        holder.let_go()
    world.wait_whole()


@contextmanager
def dump(world: World) -> Iterator[None]:
    """A dump holds its snapshot all along while others write."""
    with world.session("SELECT count(*) FROM pegawai"):
        world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1 WHERE id < 50")
        yield
    world.wait_whole()


@contextmanager
def delayed_on_purpose(world: World) -> Iterator[None]:
    """An hour behind is what the office asked for."""
    source = "MASTER" if world.flavour == "mariadb" else "REPLICATION SOURCE"
    option = "MASTER_DELAY" if world.flavour == "mariadb" else "SOURCE_DELAY"

    def become(seconds: int) -> None:
        world.replicate(
            "STOP {replica}", f"CHANGE {source} TO {option} = {seconds}", "START {replica}"
        )
        eventually(world.pair.running, "both replication threads run")

    become(3600)
    try:
        world.primary.sql("UPDATE app.pegawai SET gaji = gaji + 1 WHERE id < 50")
        eventually(lambda: not world.pair.caught_up(), "the replica waits on purpose")
        yield
    finally:
        become(0)
        world.wait_whole()


@contextmanager
def short_lock_waits(world: World) -> Iterator[None]:
    """Short lock waits, as in any busy application."""
    with (
        world.session("UPDATE pegawai SET gaji = 1 WHERE id = 9"),
        world.waiters(1, "UPDATE pegawai SET gaji = 2 WHERE id = 9"),
    ):
        world.primary.row_waits(1)
        yield


@contextmanager
def planned_failover(world: World) -> Iterator[None]:
    """Announced: the replica takes over and the old primary takes no writes any more."""
    world.replicate("STOP {replica}", "RESET {replica} ALL")
    with (
        world.setting("read_only", "0", on_replica=True),
        world.setting("read_only", "1"),
    ):
        yield
    world.pair.replicate()
    world.wait_whole()


HEALTHY = (
    Healthy(
        "healthy/idle_for_an_hour", "mysql", idle, rounds=60, seconds_a_round=60.0, own_clocks=True
    ),
    Healthy("healthy/load", "mysql", load),
    Healthy("healthy/batch_delete", "mysql", batch_delete),
    Healthy("healthy/batch_delete_open", "mysql", batch_delete_open),
    Healthy("healthy/alter_table", "mysql", alter_table),
    Healthy("healthy/dump", "mysql", dump),
    Healthy("healthy/short_lock_waits", "mysql", short_lock_waits),
    Healthy("healthy/delayed_on_purpose", "mysql", delayed_on_purpose),
    Healthy("healthy/planned_restart", "mysql", outages.stopped, rounds=4, announced=True),
    Healthy("healthy/planned_failover", "mysql", planned_failover, rounds=4, announced=True),
)
