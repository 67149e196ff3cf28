"""What fills the volume of a real MariaDB: binary logs, relay logs behind a stopped applier."""

from __future__ import annotations

import pytest

from probes import Address, Measurement, Row, Secret, Session, Target, Text
from probes.local.growth import room_on
from probes.model import Memory
from probes.mysql.connection.connect import connect
from probes.mysql.connection.paths import directories
from probes.mysql.storage.disk_growth import FILE_SIZES, PROBE, exhibits, known_files, sized
from probes.runner import HostView
from probes.wire import deadline
from tests.servers import mariadb
from tests.support.elapsed import seen_earlier
from tests.support.evidence import all_told

MB = 1_000_000


def target(server: mariadb.MariaDB) -> Target:
    address = Address(
        "127.0.0.1", server.port, mariadb.MONITOR, password=Secret(mariadb.MONITOR_PASSWORD)
    )
    return Target("m", "mysql", address, host="db01")


def read(session: Session) -> dict[tuple[str, str], Measurement]:
    return {(m.measure, m.subject): m for m in PROBE.read(session)}


def minutes_pass(session: Session, minutes: float = 2.5) -> None:
    """What was seen so far was seen that much earlier."""
    seen_earlier(session.memory, minutes * 60)


def write(server: mariadb.MariaDB, megabytes: int) -> None:
    server.sql(
        "CREATE TABLE IF NOT EXISTS app.isi (id INT AUTO_INCREMENT PRIMARY KEY, t LONGTEXT)",
        *[f"INSERT INTO app.isi (t) VALUES (repeat('x', {MB}))" for _ in range(megabytes)],
    )


@pytest.mark.servers
def test_binary_logs_that_grow_are_named_as_the_filler(primary: mariadb.MariaDB) -> None:
    with deadline.within(60):
        session = connect(target(primary), "test")
        try:
            found = {}
            for _ in range(4):
                found = read(session)
                minutes_pass(session)
                write(primary, 6)
            total = sum(int(row["File_size"]) for row in primary.sql("SHOW BINARY LOGS"))
            assert found["disk_use_bytes", "binlog"].value <= total
            assert found["disk_growth_bytes_per_second", "binlog"].value > 6 * MB / 200
            assert found["disk_use_bytes", "schema:app"].value > 10 * MB
            (filled,) = [m for (name, _), m in found.items() if name == "filled_by_in_seconds"]
            who = filled.detail["who"]
            assert isinstance(who, Text)
            assert "the binary log" in who.en or who.en == "schema app"
            (shown,) = all_told(exhibits(session))
            assert {"binlog", "schema:app"} <= {row[0] for row in shown.rows}
        finally:
            session.close()


@pytest.mark.servers
def test_relay_logs_pile_up_behind_a_stopped_applier(pair: mariadb.MariaDBPair) -> None:
    pair.replica.sql("STOP SLAVE SQL_THREAD")
    try:
        with deadline.within(60):
            session = connect(target(pair.replica), "test")
            before = read(session)
            write(pair.primary, 5)
            mariadb.eventually(
                lambda: relay(read(session)).value > relay(before).value + 4 * MB,
                "the relay logs growing",
            )
            (shown,) = all_told(exhibits(session))
            words = next(row[3] for row in shown.rows if row[0].startswith("relay:"))
            session.close()
        assert "applier: No" in words
    finally:
        pair.replica.sql("START SLAVE SQL_THREAD")
        mariadb.eventually(pair.caught_up, "the replica catching up")


def relay(found: dict[tuple[str, str], Measurement]) -> Measurement:
    (one,) = [
        m for (name, who), m in found.items() if name == "disk_use_bytes" and who[:6] == "relay:"
    ]
    return one


def test_the_files_of_every_version_are_told_apart() -> None:
    rows: list[Row] = [
        {"owner": "innodb_undo001", "bytes": 10},  # MariaDB
        {"owner": "innodb_undo_002", "bytes": 5},  # MySQL 8
        {"owner": "innodb_temporary", "bytes": 12},
        {"owner": "innodb_system", "bytes": 77},
        {"owner": "simpeg", "bytes": 1000},
        {"owner": "mysql", "bytes": None},
    ]
    found = sized(rows)
    assert found == {
        "undo": 15.0,
        "temp": 12.0,
        "system": 77.0,
        "schema:simpeg": 1000.0,
        "schema:mysql": 0.0,
    }
    memory = Memory()
    memory.set(FILE_SIZES, found)
    places = {use.consumer: use.place for use in known_files(memory)}
    assert places["undo"] == "undo"
    assert places["schema:simpeg"] == "data"


def test_logs_and_shared_space_are_on_the_map_where_they_are_files() -> None:
    found = directories(
        {
            "datadir": "/data/",
            "innodb_data_home_dir": "/shared",
            "log_error": "./server.err",
            "slow_query_log": "ON",
            "slow_query_log_file": "/logs/slow.log",
            "general_log": "OFF",
            "general_log_file": "/elsewhere/general.log",
        }
    )
    assert found == {
        "data": "/data",
        "shared": "/shared",
        "log": "/data",
        "log_file": "/data/server.err",
        "slow_log": "/logs",
    }
    assert directories({"datadir": "/d", "log_error": "stderr"}) == {"data": "/d"}


@pytest.mark.servers
def test_every_place_a_real_server_names_leads_to_its_volume(primary: mariadb.MariaDB) -> None:
    with deadline.within(20):
        session = connect(target(primary), "test")
        paths = session.paths()
        session.close()
        rooms = room_on(HostView(target(primary), paths, Memory()), paths)
    assert {"data", "binlog", "relay", "tmp", "log"} <= set(paths)
    assert set(rooms) == set(paths)
