"""Backups are recognised by what their tools really write; nothing unreadable counts as one."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from probes import Address, FailureKind, Measurement, ProbeError, Target
from probes.host.backup_age import PROBE
from probes.host.backups import NotUnderstoodError, backups_in
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline

WITA = timezone(timedelta(hours=8))
DAY = 86400.0


def pgbackrest(*backups: tuple[str, float, bool]) -> str:
    """As ``pgbackrest info --output=json`` writes it: (type, when it stopped, page errors)."""
    listed = [
        {
            "error": error,
            "label": f"20261120-{number:06}F",
            "timestamp": {"start": stop - 60, "stop": stop},
            "type": kind,
        }
        for number, (kind, stop, error) in enumerate(backups)
    ]
    return json.dumps(
        [{"backup": listed, "name": "simpeg", "status": {"code": 0, "message": "ok"}}]
    )


def ages(path: Path, labels: bool = False) -> dict[str, Measurement]:
    where = {"backup": str(path)}
    target = Target(
        "t",
        "postgresql",
        Address("127.0.0.1", 5432, "sigap"),
        host="db01",
        labels=where if labels else {},
        volumes={} if labels else where,
    )
    with deadline.within(10):
        return {m.measure: m for m in PROBE.read(HostView(target, {}, Memory()))}


def aged(path: Path, days: float, text: str = "isi") -> Path:
    path.write_text(text)
    at = time.time() - days * DAY
    os.utime(path, (at, at))
    return path


def test_pgbackrest_tells_full_and_incremental_apart(tmp_path: Path) -> None:
    now = time.time()
    report = tmp_path / "info.json"
    report.write_text(pgbackrest(("full", now - 5 * DAY, False), ("incr", now - 3600, False)))
    found = ages(report)
    assert found["backup_age_seconds"].value == pytest.approx(3600, abs=60)
    assert found["backup_full_age_seconds"].value == pytest.approx(5 * DAY, abs=60)
    assert found["backup_count"].value == 2


def test_a_pgbackrest_backup_with_page_errors_is_no_good_backup() -> None:
    found = backups_in(pgbackrest(("full", 1000.0, False), ("full", 2000.0, True)), UTC)
    assert found is not None
    assert [each.ended for each in found] == [1000.0]


def test_no_backup_at_all_is_a_count_of_zero_and_no_age(tmp_path: Path) -> None:
    report = tmp_path / "info.json"
    report.write_text(json.dumps([{"backup": [], "name": "simpeg", "status": {"code": 2}}]))
    found = ages(report)
    assert found["backup_count"].value == 0
    assert "backup_age_seconds" not in found


def test_wal_g_lists_base_and_delta_backups() -> None:
    report = [
        {"backup_name": "base_000000010000000000000004", "time": "2026-11-20T01:00:00Z",
         "finish_time": "2026-11-20T01:30:00Z"},
        {"backup_name": "base_000000010000000000000009_D_000000010000000000000004",
         "time": "2026-11-21T01:00:00Z", "finish_time": "2026-11-21T01:05:00Z"},
    ]  # fmt: skip
    found = backups_in(json.dumps(report), UTC)
    assert found is not None
    assert [each.full for each in found] == [True, False]
    assert found[0].ended == datetime(2026, 11, 20, 1, 30, tzinfo=UTC).timestamp()


def test_xtrabackup_writes_local_time_and_says_what_is_incremental() -> None:
    info = (
        "uuid = 8f1\nname = \ntool_name = mariadb-backup\nstart_time = 2026-11-21 01:00:00\n"
        "end_time = 2026-11-21 01:12:30\npartial = N\nincremental = Y\n"
    )
    (found,) = backups_in(info, WITA) or []
    assert found.ended == datetime(2026, 11, 20, 17, 12, 30, tzinfo=UTC).timestamp()
    assert not found.full


def test_a_broken_off_xtrabackup_does_not_count_beside_a_good_one(tmp_path: Path) -> None:
    good, broken = tmp_path / "2026-11-19", tmp_path / "2026-11-22"
    good.mkdir()
    broken.mkdir()
    ended = datetime.now() - timedelta(days=4)  # noqa: DTZ005 - the tool writes local time
    aged(good / "ibdata1", 4)
    (good / "xtrabackup_info").write_text(f"end_time = {ended:%Y-%m-%d %H:%M:%S}\nincremental = N")
    aged(broken / "ibdata1", 0.1)
    assert ages(tmp_path)["backup_age_seconds"].value == pytest.approx(4 * DAY, abs=120)


def test_the_newest_dump_of_a_directory_counts_and_an_empty_one_does_not(tmp_path: Path) -> None:
    aged(tmp_path / "simpeg-1.dump", 3)
    aged(tmp_path / "simpeg-2.dump", 2)
    aged(tmp_path / "simpeg-3.dump", 0, text="")
    found = ages(tmp_path)
    assert found["backup_age_seconds"].value == pytest.approx(2 * DAY, abs=60)
    assert found["backup_age_seconds"].detail["name"] == "simpeg-2.dump"


def test_a_mark_named_by_a_label_counts_by_its_time(tmp_path: Path) -> None:
    mark = aged(tmp_path / "cadangan-selesai", 1.6, text="ok\n")
    found = ages(mark, labels=True)["backup_age_seconds"]
    assert found.value == pytest.approx(1.6 * DAY, abs=60)
    assert found.value > next(
        t.warning or 0 for t in PROBE.thresholds if t.measure == found.measure
    )


def test_a_mark_that_was_merely_touched_counts_where_the_path_names_it(tmp_path: Path) -> None:
    assert ages(aged(tmp_path / "cadangan-selesai", 1, text=""))["backup_count"].value == 1
    assert ages(tmp_path)["backup_count"].value == 0  # among others: what a failed job leaves
    assert ages(aged(tmp_path / "simpeg.dump", 1, text=""))["backup_count"].value == 0


def test_a_backup_from_the_future_is_not_older_than_now(tmp_path: Path) -> None:
    assert ages(aged(tmp_path / "a.dump", -1))["backup_age_seconds"].value == 0


def test_a_report_that_broke_off_is_blind_and_not_ok(tmp_path: Path) -> None:
    report = tmp_path / "info.json"
    report.write_text(pgbackrest(("full", 1000.0, False))[:80])
    with pytest.raises(ProbeError) as caught:
        ages(report)
    assert caught.value.failure.kind is FailureKind.BLIND
    with pytest.raises(NotUnderstoodError):
        backups_in('[{"nama": "x"}]', UTC)


def test_a_missing_path_is_blind_with_the_line_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        ages(tmp_path / "tidak-ada")
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "mark" in caught.value.failure.hint.en


def test_without_a_path_nothing_is_asked() -> None:
    target = Target("t", "postgresql", Address("127.0.0.1", 5432, "sigap"), host="db01")
    with pytest.raises(ProbeError) as caught, deadline.within(5):
        list(PROBE.read(HostView(target, {"data": "/"}, Memory())))
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED


def test_only_the_chosen_stanza_of_a_report_counts() -> None:
    old, new = (
        json.loads(pgbackrest(("full", 1000.0, False))),
        json.loads(pgbackrest(("full", 2000.0, False))),
    )
    new[0]["name"] = "lain"
    found = backups_in(json.dumps([*old, *new]), UTC, "simpeg")
    assert found is not None
    assert [each.ended for each in found] == [1000.0]


def test_incrementals_without_their_full_backup_are_told(tmp_path: Path) -> None:
    report = tmp_path / "info.json"
    report.write_text(pgbackrest(("incr", time.time() - 3600, False)))
    assert ages(report)["backup_full_count"].value == 0


def test_a_dump_that_broke_off_or_still_grows_does_not_count(tmp_path: Path) -> None:
    aged(tmp_path / "senin.sql", 2, text="create table a ();\n-- Dump completed on 2026-11-24\n")
    aged(tmp_path / "selasa.sql", 1, text="create table a ();\ninsert into a")
    aged(tmp_path / "rabu.dump", 0, text="PGDMP")
    found = ages(tmp_path)
    assert found["backup_count"].value == 1
    assert found["backup_age_seconds"].detail["name"] == "senin.sql"
