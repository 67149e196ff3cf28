"""What fills the volume of real servers: an unread slot, a failing archive, a query."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from probes import FailureKind, Measurement, ProbeError, Reading, Session, Severity, Text
from probes.judge import Judge
from probes.postgresql.storage.disk_growth import PROBE, _first, exhibits, losses, wal_holder
from probes.words.units import written
from tests.probes.host.places import mounted
from tests.probes.postgresql.asking import session_to
from tests.servers import postgresql
from tests.servers.machine import ordinary_user, until
from tests.support.builders import NOON, a_target
from tests.support.elapsed import seen_earlier
from tests.support.evidence import all_told

MB = 1e6


def read(session: Session) -> dict[tuple[str, str], Measurement]:
    return {(m.measure, m.subject): m for m in PROBE.read(session)}


def said_of(found: Measurement, key: str, language: str = "id") -> str:
    """A detail as text."""
    words = found.detail[key]
    assert isinstance(words, Text)
    return words.said_in(language)


def minutes_pass(session: Session, minutes: float = 2.5) -> None:
    """What was seen so far was seen that much earlier."""
    seen_earlier(session.memory, minutes * 60)


def test_the_headline_of_a_slot_that_will_be_lost_is_frozen_without_figures() -> None:
    detail = {"first": _first(3600.0, 26_400.0), "kept": "12 GB", "speed": "4 GB"}
    measured = (Measurement("slot_lost_in_seconds", 3500.0, "lupa", detail),)
    judge, at = Judge(), NOON
    for n in range(3):
        reading = Reading("simpeg", PROBE.name, at + timedelta(minutes=n), 0.01, measured)
        (found,) = (
            each
            for each in judge.assess(a_target(), PROBE, reading).findings
            if each.measure == "slot_lost_in_seconds"
        )
    assert found.severity is Severity.CRITICAL
    assert "(7 h 20 min)" in found.title.en
    for words in (found.headline.id, found.headline.en):
        assert "slot lupa" in words
        assert not re.search(r"\d", words), words


@pytest.mark.servers
def test_a_slot_nobody_reads_is_named_and_told_when_it_is_lost() -> None:
    settings = {"max_slot_wal_keep_size": "640MB"}
    with (
        postgresql.single(settings) as server,
        session_to(server.target(host="db01"), 60) as session,
    ):
        server.sql("select pg_create_physical_replication_slot('yatim', true)")
        for _ in range(4):
            found = read(session)
            minutes_pass(session)
            server.fill(20)
        lost = found["slot_lost_in_seconds", "yatim"]
        growth = found["disk_growth_bytes_per_second", "wal"].value
        assert growth > 0
        assert 60 < lost.value < 3600 * 4
        assert "sebelum" in said_of(lost, "first") or "lebih dahulu" in said_of(lost, "first")
        (filled,) = [m for (name, _), m in found.items() if name == "filled_by_in_seconds"]
        assert "slot tak aktif yatim" in said_of(filled, "who")
        (shown,) = all_told(exhibits(session))
        assert "inactive slot yatim" in next(row[3] for row in shown.rows if row[0] == "wal")


@pytest.mark.servers
@pytest.mark.root
def test_the_wal_volume_is_full_before_the_slot_is_lost(tmp_path: Path) -> None:
    """A volume of 400 MB with a slot allowed 2 GB: the disk comes first, and is named."""
    with mounted(tmp_path / "wal", "-t", "tmpfs", "-o", "size=400m,mode=0777", "sigap") as small:
        tmp_path.chmod(0o755)
        for parent in tmp_path.parents:
            if parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        with postgresql.single({"max_slot_wal_keep_size": "2GB"}) as server:
            server.sql("select pg_create_physical_replication_slot('yatim', true)")
            target = server.target(host="db01", volumes={"wal": str(small)})
            with session_to(target, 60) as session:
                found = {}
                for _ in range(4):
                    found = read(session)
                    minutes_pass(session)
                    server.fill(25)
                filled = found["filled_by_in_seconds", str(small)]
                assert "slot yatim" in said_of(filled, "who", "en")
                assert "slot yatim is lost in" in said_of(filled, "more", "en")
                lost = found["slot_lost_in_seconds", "yatim"]
                assert "full sooner" in said_of(lost, "first", "en")
                assert filled.value < lost.value


@pytest.mark.servers
def test_an_archive_that_fails_is_blamed_for_the_wal() -> None:
    settings = {"archive_mode": "on", "archive_command": "false"}
    with postgresql.single(settings) as server, session_to(server.target(), 60) as session:
        for _ in range(4):
            server.fill(16)
            server.sql("select pg_switch_wal()")
        read(session)
        (shown,) = all_told(exhibits(session))
        assert "not archived yet" in next(row[3] for row in shown.rows if row[0] == "wal")


@pytest.mark.servers
def test_sizes_of_databases_and_temporary_files_are_the_servers_own() -> None:
    with postgresql.single() as server, session_to(server.target(), 60) as session:
        server.sql("create database simpeg")
        found = read(session)
        size = float(server.sql("select pg_database_size('simpeg')")[0][0])
        assert found["disk_use_bytes", "database:simpeg"].value == pytest.approx(size, rel=0.05)
        assert found["disk_use_bytes", "database:template0"].value > 0
        # Between two looks the sizes stand as they were.
        assert ("disk_use_bytes", "database:simpeg") in read(session)

        sorting = server.connect()
        try:
            with sorting.cursor() as cursor:
                cursor.execute("set work_mem = '64kB'; begin; declare c cursor for select "
                               "repeat(md5(n::text), 8) t from generate_series(1, 60000) n "
                               "order by 1; fetch 1 from c")  # fmt: skip
            until(
                lambda: read(session).get(("disk_use_bytes", "temp")) is not None,
                "temporary files being seen",
            )
            assert read(session)["disk_use_bytes", "temp"].value > 5 * MB
        finally:
            sorting.close()


@pytest.mark.servers
def test_who_grows_in_a_tablespace_fills_that_and_not_the_data(single: postgresql.Server) -> None:
    place = single.folder / "arsip"
    place.mkdir()
    if owner := ordinary_user():
        shutil.chown(place, owner)
    single.sql(f"create tablespace arsip location '{place}'")
    try:
        single.sql("create unlogged table surat_lama (isi text) tablespace arsip")
        with session_to(single.target(host="db01"), 60) as session:
            for _ in range(4):
                found = read(session)
                minutes_pass(session)
                single.sql(
                    "insert into surat_lama select repeat(md5(n::text), 32) "
                    "from generate_series(1, 20000) n"
                )
        assert found["disk_growth_bytes_per_second", "tablespace:arsip"].value > 0
        assert found["disk_growth_bytes_per_second", "tablespace:pg_default"].value < MB / 60
        (filled,) = [m for (name, _), m in found.items() if name == "filled_by_in_seconds"]
        assert said_of(filled, "who") == "tablespace arsip"
    finally:
        single.sql("drop table if exists surat_lama")
        single.sql("drop tablespace arsip")


@pytest.mark.servers
def test_a_standby_tells_its_own_wal(pair: postgresql.PostgresPair) -> None:
    with session_to(pair.replica.target(), 30) as session:
        assert read(session)["disk_use_bytes", "wal"].value > 0


@pytest.mark.servers
def test_without_rights_it_is_blind_and_says_the_grant(single: postgresql.Server) -> None:
    target = single.target(user=postgresql.NO_RIGHTS)
    with session_to(target) as session, pytest.raises(ProbeError) as caught:
        read(session)
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "pg_monitor" in caught.value.failure.hint.en


def slot(retained: float, safe: float | None, active: bool = False) -> dict[str, object]:
    return {"name": "s", "active": active, "retained_bytes": retained, "safe_bytes": safe}


@pytest.mark.parametrize(
    ("full_in", "said"),
    [
        (None, "before its WAL volume is full"),
        (7200.0, "sooner than the WAL volume"),
        (60.0, "the WAL volume is full sooner"),
    ],
)
def test_which_comes_first_is_said(full_in: float | None, said: str) -> None:
    (found,) = losses([slot(100 * MB, 360 * MB)], {"slot:s": 0.1 * MB}, full_in)
    assert found.value == pytest.approx(3600)
    assert said in said_of(found, "first", "en")


def test_a_slot_that_is_read_from_is_never_told_to_be_lost() -> None:
    """However fast WAL is written: what counts is how fast the slot falls behind."""
    (found,) = losses([slot(5 * MB, 60 * MB, active=True)], {"slot:s": 0.0, "wal": 50 * MB}, None)
    assert found.value == 30 * 86400


def test_an_unbounded_slot_cannot_be_lost() -> None:
    assert list(losses([slot(100 * MB, None)], {"slot:s": MB}, 60.0)) == []


def test_wal_is_only_blamed_on_who_keeps_half_of_it() -> None:
    assert wal_holder(100 * MB, 0, [slot(10 * MB, None)]).en == "WAL"
    assert "slot s" in wal_holder(100 * MB, 0, [slot(80 * MB, None)]).en
    both = wal_holder(100 * MB, 90 * MB, [slot(60 * MB, None)])
    assert written(90 * MB, "bytes").en in both.en
    assert wal_holder(0, 0, []).en == "WAL"
