"""Evidence about a server that is down, from real files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from probes import Address, Down, Failure, FailureKind, Target
from probes.local import down_evidence as facts
from probes.local import inspection
from probes.local.mounts import StuckError
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline
from probes.words import evidence
from tests.servers.machine import free_port
from tests.support.evidence import all_told, told
from tests.support.words import both

DOWN = Down(Failure(FailureKind.REFUSED, "port 1 refuses connections"), 0.25, True, None)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    with deadline.within(10):
        yield


def here(port: int, host: str = "lab") -> Target:
    return Target("simpeg", "postgresql", Address("127.0.0.1", port, "sigap"), host=host)


LINES = """\
2026-11-26 07:00:00.123 WIB [1] LOG:  database system was shut down at 06:59
2026-11-26 07:00:01.123 WIB [9] ERROR:  duplicate key value violates unique constraint "nik"
2026-11-26 07:00:01.123 WIB [9] DETAIL:  Key (nik)=(6472010101010001) already exists.
2026-11-26 07:00:01.123 WIB [9] STATEMENT:  insert into warga values ('6472010101010001')
2026-11-26 07:00:01.200 WIB [9] LOG:  duration: 9 ms  statement: select 'Budi'
2026-11-26 07:00:02.123 WIB [1] FATAL:  could not write lock file: password=rahasia
"""


def test_the_log_says_why_and_keeps_peoples_data_and_secrets_out(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(LINES)
    (shown,) = all_told(evidence.bounded([facts.log_tail(str(tmp_path))]))
    assert [row[0].partition("] ")[2] for row in shown.rows] == [
        "LOG:  database system was shut down at 06:59",
        "FATAL:  could not write lock file: password=***",
    ]
    assert str(tmp_path / "server.log") in shown.note


def test_of_two_servers_with_one_log_directory_each_shows_its_own_log(tmp_path: Path) -> None:
    own, neighbour = tmp_path / "one.err", tmp_path / "two.err"
    own.write_text("2026-11-26  7:00:00 0 [ERROR] mariadbd: disk is full\n")
    neighbour.write_text("2026-11-26  7:00:09 0 [Note] mariadbd: ready for connections\n")
    os.utime(own, (1000, 1000))  # the neighbour's is newer
    paths = {"data": str(tmp_path), "log": str(tmp_path), "log_file": str(own)}
    target = here(free_port())
    shown = all_told(facts.when_down(HostView(target, paths, Memory()), DOWN))
    (log,) = [each for each in shown if each.title.en == "Last lines of the server's log"]
    assert [row[0] for row in log.rows] == ["2026-11-26  7:00:00 0 [ERROR] mariadbd: disk is full"]
    assert "one.err" in str(log.note)
    (rooms,) = [each for each in shown if each.title.en == "Room on the server's volumes"]
    assert "log_file" not in str(rooms)


def test_a_log_configured_for_the_target_goes_before_what_the_server_names(tmp_path: Path) -> None:
    (tmp_path / "named.err").write_text("2026-11-26  7:00:00 0 [ERROR] named\n")
    (tmp_path / "given.err").write_text("2026-11-26  7:00:00 0 [ERROR] given\n")
    target = replace(here(free_port()), volumes={"log": str(tmp_path / "given.err")})
    view = HostView(target, {"log_file": str(tmp_path / "named.err")}, Memory())
    shown = all_told(facts.last_words(view))
    assert "given" in str(shown[0].rows)


POOLER_LINES = """\
2026-11-26 09:19:44.301 UTC [11055] LOG C-0x56: simpeg/petugas@10.0.0.9:49110 login attempt
2026-11-26 09:19:44.301 UTC [11055] LOG S-0x57: simpeg/petugas@unix closing because: connect failed
2026-11-26 09:19:44.400 UTC [11055] LOG stats: 0 xacts/s, 0 queries/s
2026-11-26 09:19:45.000 UTC [11055] WARNING sbuf_connect failed: No such file or directory
2026-11-26 09:19:46.000 UTC [11055] LOG PAUSE command issued
"""


def test_the_log_of_a_pooler_is_one_file_and_its_clients_comings_are_left_out(
    tmp_path: Path,
) -> None:
    """Its neighbours in the directory are PostgreSQL's, and newer."""
    (tmp_path / "pgbouncer.log").write_text(POOLER_LINES)
    (tmp_path / "postgresql.log").write_text(LINES)
    shown = told(facts.log_tail(str(tmp_path / "pgbouncer.log")))
    assert [row[0].partition("[11055] ")[2] for row in shown.rows] == [
        "LOG S-0x57: simpeg/petugas@unix closing because: connect failed",
        "WARNING sbuf_connect failed: No such file or directory",
        "LOG PAUSE command issued",
    ]
    assert shown.note.startswith(str(tmp_path / "pgbouncer.log"))


def test_of_a_long_log_the_last_lines_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mysql.err").write_text(
        "".join(f"2026-11-26 7:00:00 0 [Note] line {n} of InnoDB\n" for n in range(50_000))
    )
    shown = told(facts.log_tail(str(tmp_path)))
    assert len(shown.rows) == facts.MOST_LINES
    assert "line 49999" in shown.rows[-1][0]


def test_a_newer_file_without_a_word_of_the_server_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(LINES)
    os.utime(tmp_path / "server.log", (1, 1))
    (tmp_path / "slow.log").write_text("SELECT 'Budi';\n")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "linked.log").symlink_to(tmp_path / "slow.log")
    assert "server.log" in told(facts.log_tail(str(tmp_path))).note


def test_a_server_elsewhere_shows_its_failure_and_nothing_of_this_host() -> None:
    (shown,) = all_told(facts.when_down(HostView(here(1, host=""), {"data": "/"}, Memory()), DOWN))
    assert shown.rows == (
        (
            "refused",
            "logging in",
            "0.25 s",
            "not since Sigap started",
            "port 1 refuses connections",
        ),
    )


def test_what_cannot_be_looked_at_is_said_and_hides_nothing_else(tmp_path: Path) -> None:
    paths = {"data": str(tmp_path / "gone"), "log": str(tmp_path / "gone")}
    shown = all_told(facts.when_down(HostView(here(free_port()), paths, Memory()), DOWN))
    assert len(shown) == 5
    assert "could not be looked at" in shown[2].note
    assert str(tmp_path / "gone") in shown[3].note
    assert shown[4].rows


def test_a_server_that_was_never_seen_is_shown_as_far_as_it_can_be() -> None:
    shown = all_told(facts.when_down(HostView(here(free_port()), {}, Memory()), DOWN))
    assert "did not say where its files are" in shown[3].note


def test_the_last_answer_is_told_as_a_moment() -> None:
    at = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
    down = Down(DOWN.failure, 5.0, False, at)
    ((_, phase, took, answered, _),) = told(facts.the_failure(down)).rows
    assert (phase, took, answered) == ("asking on an open session", "5 s", "2026-11-26T07:00:00Z")


def test_a_mount_that_does_not_answer_is_told_in_both_languages() -> None:
    said = inspection.unseen(StuckError("/srv/pg_wal", 3.0))
    assert said == both(
        "tidak dapat dilihat: /srv/pg_wal tidak menjawab",
        "could not be looked at: /srv/pg_wal does not answer",
    )


def test_a_failure_of_ours_is_told_in_both_languages_and_a_servers_as_it_said() -> None:
    ours = Failure(FailureKind.BLIND, "no answer", said=both("tidak ada jawaban", "no answer"))
    for failure, shown in ((ours, ours.said), (DOWN.failure, "port 1 refuses connections")):
        (row,) = facts.the_failure(Down(failure, 0.25, True, None)).rows
        assert row[-1] == shown
