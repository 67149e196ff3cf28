"""Limits: connection slots, transaction numbers, sequences, disk for temporary files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from probes import Measurement, Probe, ProbeError, Session
from probes.postgresql.capacity import autovacuum, connections, sequences, temp_files, wraparound
from probes.postgresql.databases import Visits, visit
from probes.postgresql.storage import checkpoints
from probes.wire import deadline
from tests.probes.postgresql.asking import again, exhibits, read, session_to, title_of, values
from tests.servers import postgresql
from tests.servers.machine import ordinary_user
from tests.servers.postgresql import MONITOR, NO_RIGHTS, PostgresPair, Server, until

pytestmark = pytest.mark.servers

Found = dict[tuple[str, str], Measurement]


def test_the_hoarder_of_connection_slots_is_named_and_reserved_ones_do_not_count(
    single: Server,
) -> None:
    probe = connections.PROBE
    room = 30 - 3  # superuser_reserved_connections
    before = read(probe, single.target())["connections_used_ratio", ""]
    assert before.detail["room"] == room
    with ExitStack() as pool:
        for _ in range(22):
            session = single.connect()
            pool.callback(session.close)
            session.cursor().execute("set application_name = 'si-boros'")
        found = read(probe, single.target())
        used = found["connections_used_ratio", ""]
        assert used.value == pytest.approx(found["connections", ""].value / room)
        assert used.value > 0.8
        title = title_of(probe, found, "connections_used_ratio")
        assert "most by postgres (si-boros) with 22" in title
        (table,) = exhibits(probe, single.target())
        assert table.rows[0][:2] == ("postgres", "si-boros")


def test_a_roles_own_connection_limit_is_watched_apart(single: Server) -> None:
    single.sql("create role kasir login connection limit 2")
    try:
        with single.trusted("kasir"):
            teller = single.connect(user="kasir")
            found = read(connections.PROBE, single.target())
            teller.close()
        assert found["connection_limit_used_ratio", "role:kasir"].value == 0.5
    finally:
        single.sql("drop role kasir")


def test_a_server_near_wraparound_says_how_near_and_who_holds_it() -> None:
    """The real thing: transaction numbers are moved on by 1.2 billion while it is down."""
    with postgresql.single({"autovacuum_freeze_max_age": "2000000000"}) as server:
        assert values(wraparound.PROBE, server.target())["xid_used_ratio"] < 0.01
        segment, transactions = 1144, 1144 * 1048576
        server.stop()
        subprocess.run(
            [str(server.programs / "pg_resetwal"), "-x", str(transactions), str(server.data)],
            user=ordinary_user(), cwd="/", check=True, capture_output=True,
        )  # fmt: skip
        status = server.data / "pg_xact" / f"{segment:04X}"
        status.write_bytes(bytes(256 * 1024))
        owner = server.data.stat()
        os.chown(status, owner.st_uid, owner.st_gid)
        server.start()
        holder = server.connect()
        holder.autocommit = False
        holder.cursor().execute("select txid_current()")
        found = read(wraparound.PROBE, server.target())
        assert found["xid_used_ratio", ""].value == pytest.approx(transactions / 2**31, rel=0.01)
        title = title_of(wraparound.PROBE, found, "xid_used_ratio")
        assert "55.9 % of the transaction numbers are used" in title
        assert f"held by session PID {holder.info.backend_pid}" in title
        ages, _holders = exhibits(wraparound.PROBE, server.target())
        assert "template0" in {row[0] for row in ages.rows}
        overdue = values(autovacuum.PROBE, server.target())["freeze_overdue_ratio"]
        assert overdue == pytest.approx(transactions / 2e9, rel=0.01)
        holder.close()


@contextmanager
def database(server: Server, name: str) -> Iterator[None]:
    server.sql(f"create database {name}")
    try:
        yield
    finally:
        server.sql(f"drop database {name} with (force)")


def test_a_sequence_runs_out_with_its_column_and_in_whatever_database_it_is(
    single: Server,
) -> None:
    probe = sequences.PROBE
    with database(single, "simpeg"):
        for statement in (
            "create table pegawai (id serial primary key)",
            "create table surat (id bigserial primary key)",
            "alter table surat alter column id type int",  # the sequence stays a bigint
            "select setval('surat_id_seq', 2100000000)",
            "create sequence turun increment -1 minvalue -100 maxvalue -1",
            "select setval('turun', -96)",
            "create sequence putar maxvalue 10 cycle",
            "select setval('putar', 10)",
        ):
            single.sql(statement, database="simpeg")
        found = read(probe, single.target())
        assert found["sequences_unreadable", ""].value == 4 - 1  # one cycles and never ends
        assert "sequences_unreadable" not in {each.measure for each in probe.thresholds}
        single.sql(
            f"grant select on all sequences in schema public to {MONITOR}", database="simpeg"
        )
        found = read(probe, single.target())
        ratios = {subject: m.value for (name, subject), m in found.items() if subject}
        assert ratios == {
            "simpeg.public.surat_id_seq": pytest.approx(2100000000 / 2147483647),
            "simpeg.public.turun": pytest.approx(95 / 99),
        }
        assert found["sequences_unreadable", ""].value == 0


def test_a_database_that_lets_nobody_in_is_told_and_does_not_hide_the_others(
    single: Server,
) -> None:
    with database(single, "tertutup"):
        single.sql("revoke connect on database tertutup from public")
        found = read(sequences.PROBE, single.target())
        assert found["databases_unseen", ""].value == 1
        assert "tertutup" in title_of(sequences.PROBE, found, "databases_unseen")
    assert values(sequences.PROBE, single.target())["databases_unseen"] == 0


def test_databases_that_time_does_not_allow_are_visited_next_and_keep_their_answer(
    single: Server,
) -> None:
    def slow(session: Session) -> str:
        (row,) = session.rows("select current_database()::text as name, pg_sleep(0.5)")
        return str(row["name"])

    with database(single, "satu"), database(single, "dua"), session_to(single.target()) as session:
        names = ["dua", "postgres", "satu"]
        with deadline.within(2.5):  # of which 1.5 s are for three visits of more than half a second
            first: Visits = visit(session, slow, names)
        seen = dict(first.answers)
        assert 0 < len(seen) < 3
        with deadline.within(9.0):
            second = visit(session, slow, names)
        assert set(second.answers) == set(names)
        assert visit(session, slow, ["postgres"]).answers.keys() == {"postgres"}


def test_a_query_that_spills_is_named_while_it_runs_and_counted_afterwards(
    single: Server,
) -> None:
    probe = temp_files.PROBE
    spiller = single.connect()
    spiller.autocommit = False
    with session_to(single.target(), 30) as session, spiller.cursor("besar") as cursor:
        again(probe, session)
        with spiller.cursor() as settings:
            settings.execute("set local work_mem = '64kB'; set local application_name = 'laporan'")
        cursor.execute("select n, repeat('x', 9) from generate_series(1, 400000) n order by 1 desc")
        cursor.fetchone()
        found = again(probe, session)
        assert found["temp_files_bytes", ""].value > 5e6
        title = title_of(probe, found, "temp_files_bytes")
        assert f"most by PID {spiller.info.backend_pid} (postgres, laporan)" in title
        spiller.close()
        counted = until(lambda: _spilt(again(probe, session)), "the spill being counted")
        assert counted.detail["database"] == "postgres"
    assert values(probe, single.target())["temp_files_bytes"] == 0


def _spilt(found: Found) -> Any:
    rate = found.get(("temp_written_bytes_per_second", ""))
    return rate if rate is not None and rate.value > 0 else None


def test_checkpoints_are_judged_only_once_there_are_enough_of_them(single: Server) -> None:
    probe = checkpoints.PROBE
    with session_to(single.target(), 30) as session:
        again(probe, session)
        for _ in range(5):
            single.sql("checkpoint")
        until(lambda: again(probe, session)["checkpoints_requested", ""].value >= 5, "checkpoints")
        assert ("checkpoint_requested_ratio", "") not in again(probe, session)
        single.sql("checkpoint")
        found = until(lambda: _judged(again(probe, session)), "a sixth checkpoint")
        assert found["checkpoint_requested_ratio", ""].value > 0.9
        assert "WAL forced 6 of 6 checkpoints" in title_of(
            probe, found, "checkpoint_requested_ratio"
        )


def test_restartpoints_of_a_standby_are_not_told_as_checkpoints(pair: PostgresPair) -> None:
    asked = (
        "select restartpoints_req from pg_stat_checkpointer"
        if pair.replica.sql("select current_setting('server_version_num')::int >= 170000")[0][0]
        else "select checkpoints_req from pg_stat_bgwriter"
    )
    before = pair.replica.sql(asked)[0][0]
    with session_to(pair.replica.target(), 30) as session:
        again(checkpoints.PROBE, session)
        for _ in range(checkpoints.LEAST_CHECKPOINTS):
            pair.replica.sql("checkpoint")
        enough = before + checkpoints.LEAST_CHECKPOINTS
        until(lambda: pair.replica.sql(asked)[0][0] >= enough, "restartpoints")
        assert again(checkpoints.PROBE, session) == {}


def _judged(found: Found) -> Any:
    return found if ("checkpoint_requested_ratio", "") in found else None


def test_autovacuum_switched_off_and_a_table_full_of_dead_rows_are_told(single: Server) -> None:
    probe = autovacuum.PROBE
    assert values(probe, single.target())["autovacuum_off"] == 0
    single.sql("alter system set autovacuum = off")
    single.sql("select pg_reload_conf()")
    try:
        until(lambda: values(probe, single.target())["autovacuum_off"] == 1, "the reload")
        single.sql("create table arsip as select n from generate_series(1, 1000) n")
        single.sql("analyze arsip")
        single.sql("insert into arsip select n from generate_series(1, 149000) n")
        single.sql("delete from arsip")
        found = until(lambda: _overdue(single), "dead rows being counted")
        title = title_of(probe, found, "tables_overdue_for_vacuum")
        assert "worst postgres.public.arsip (150000 dead rows)" in title
        tables, _running = exhibits(probe, single.target())
        assert tables.rows[0][0] == "public.arsip"
    finally:
        single.sql("drop table arsip")
        single.sql("alter system reset autovacuum")
        single.sql("select pg_reload_conf()")


def _overdue(server: Server) -> Found | None:
    found = read(autovacuum.PROBE, server.target())
    return found if found["tables_overdue_for_vacuum", ""].value else None


@pytest.mark.parametrize("probe", [connections.PROBE, wraparound.PROBE, temp_files.PROBE])
def test_without_sight_capacity_is_blind(single: Server, probe: Probe) -> None:
    with pytest.raises(ProbeError, match="cannot see other sessions"):
        read(probe, single.target(user=NO_RIGHTS))
